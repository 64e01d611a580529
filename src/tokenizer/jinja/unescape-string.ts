import { TemplateError } from './template-error.js';

const simple: Record<string, string> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What stands between the quotes of a string literal, as Python's `unicode-escape` reads it; unknown escapes stay. */
export function unescapeString(text: string): string {
  return text.replace(
    /\\(?:x([^]{0,2})|u([^]{0,4})|U([^]{0,8})|([0-7]{1,3})|N(\{[^}]*\}?)|([^]))/gu,
    (whole, ...found: (string | undefined)[]) => {
      const [x, u, long, octal, name, one] = found;
      const digits = x ?? u ?? long;
      if (digits !== undefined) {
        const length = x !== undefined ? 2 : u !== undefined ? 4 : 8;
        const code = new RegExp(`^[0-9a-fA-F]{${length}}$`).test(digits) ? parseInt(digits, 16) : Infinity;
        if (code > 0x10ffff)
          throw new TemplateError('TemplateSyntaxError', `'unicodeescape' cannot decode ${whole}`);
        return code > 0xffff ? String.fromCodePoint(code) : String.fromCharCode(code);
      }
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      if (name !== undefined)
        throw new TemplateError('NotSupported', `the escape ${whole} is not supported here`);
      return simple[one ?? ''] ?? whole;
    },
  );
}
