/**
 * Whether a path of a repository matches a pattern as `datasets` reads them: `*` and `?` stay within a folder, `**` as a
 * whole part is any number of folders, `[…]` one of some characters, `{a,b}` either. Hidden files and folders, and
 * folders that start with `__`, only match where the pattern names them.
 */
export function matchesPattern(pattern: string, path: string): boolean {
  const clean = pattern.replace(/^(\.?\/)+/, '');
  const unusual = (text: string) =>
    text
      .split('/')
      .filter((part, index, all) => /^\.(?!\.?$)/.test(part) || (/^__/.test(part) && index < all.length - 1))
      .length;
  return new RegExp(`^${source(clean)}$`, 's').test(path) && unusual(clean) === unusual(path);
}

function source(pattern: string): string {
  const part = /\*\*\/|\*\*$|\*+|\?|\[!?[^\]]+\]|\{[^{}]*\}|[^]/g;
  return pattern.replace(part, (token, at: number) => {
    const startsPart = at === 0 || pattern[at - 1] === '/';
    if (token === '**/' && startsPart) return '(?:[^/]+/)*';
    if (token === '**' && startsPart) return '.*';
    if (token === '**/') return '[^/]*/';
    if (token.startsWith('*')) return '[^/]*';
    if (token === '?') return '[^/]';
    if (token.length > 2 && token.startsWith('[')) return characters(token.slice(1, -1));
    if (token.length > 1 && token.startsWith('{'))
      return `(?:${token.slice(1, -1).split(',').map(source).join('|')})`;
    return token.replace(/[.+^$(){}|[\]\\*?]/g, '\\$&');
  });
}

function characters(inside: string): string {
  const negated = inside.startsWith('!');
  const set = inside.slice(negated ? 1 : 0).replace(/[\\\]^[]/g, '\\$&');
  // A range that ends before it begins is no expression; as glob does, it matches nothing.
  try {
    new RegExp(`[${set}]`);
  } catch {
    return '(?!)';
  }
  return `[${negated ? '^/' : ''}${set}]`;
}
