/**
 * The first key that an object in a JSON text has twice, and its offset; undefined where there is none. JSON.parse
 * takes the last of them in silence. The text must be valid JSON; strings are hopped over, so this costs little.
 */
export function duplicateKey(text: string): { key: string; at: number } | undefined {
  const open: (Set<string> | null)[] = []; // null stands for an array
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (expectsKey && keys) {
          const written = text.slice(at + 1, end);
          const key = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
          if (keys.has(key)) return { key, at };
          keys.add(key);
          expectsKey = false;
        }
        at = end;
        break;
      }
      case 0x7b:
        open.push(new Set());
        expectsKey = true;
        break;
      case 0x5b:
        open.push(null);
        expectsKey = false;
        break;
      case 0x2c:
        expectsKey = open.at(-1) instanceof Set;
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        expectsKey = false;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}
