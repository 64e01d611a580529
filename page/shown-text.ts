// Controls, marks that turn the direction of text, and what has no width.
const hidden = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
// Scripts that join letters need them.
const joiners = ['\u200c', '\u200d'];
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const name = (mark: string) =>
  joiners.includes(mark) ? mark : `‹U+${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}›`;

/** Text of the data with what cannot be seen made visible: line breaks, tabs, marks of direction, halves of characters. */
export function shownText(text: string): string {
  return text
    .replace(hidden, name)
    .replace(loneSurrogate, name)
    .replaceAll('\t', '⇥\t')
    .replaceAll('\n', '⏎\n');
}

/** The same in one line, for names and labels. */
export function oneLine(text: string, most = 60): string {
  const line = shownText(text).replaceAll('⏎\n', '⏎').replaceAll('⇥\t', '⇥');
  const letters = [...line];
  return letters.length <= most ? line : `${letters.slice(0, most).join('')}…`;
}

/** The last part of a path, which is what tells datasets apart. */
export function shortName(path: string, others: readonly string[]): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '');
  for (let count = 1; count < parts.length; count++) {
    const short = parts.slice(-count).join('/');
    const same = others.filter((other) => other.split(/[\\/]/).slice(-count).join('/') === short);
    if (same.length <= 1) return short;
  }
  return path;
}
