import { endOfJsonString } from './end-of-json-string.js';

/** What is seen of a JSON text without building it. */
export interface JsonScan {
  /** The first key that an object has twice, and its offset. JSON.parse takes the last of them in silence. */
  duplicate: { key: string; at: number } | undefined;
  /** How deep arrays and objects are nested. */
  depth: number;
  /** Whether JSON.parse keeps everything: numbers as they are written, keys in their order. */
  isPlain: boolean;
}

const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * Looks over a JSON text. Strings are hopped over, so this costs little; of a text that is not JSON it says something.
 * @param deepest ends where the nesting is deeper: `depth` is then one more
 */
export function scanJson(text: string, deepest = Infinity): JsonScan {
  const open: (Set<string> | null)[] = []; // null stands for an array
  const scan: JsonScan = { duplicate: undefined, depth: 0, isPlain: true };
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      const end = endOfJsonString(text, at);
      const keys = open.at(-1);
      if (expectsKey && keys) {
        const key = keyOf(text.slice(at + 1, end));
        if (keys.has(key)) scan.duplicate ??= { key, at };
        if (/^\d+$/.test(key)) scan.isPlain = false;
        keys.add(key);
        expectsKey = false;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      open.push(code === 0x7b ? new Set() : null);
      expectsKey = code === 0x7b;
      scan.depth = Math.max(scan.depth, open.length);
      if (scan.depth > deepest) return scan;
    } else if (code === 0x2c) {
      expectsKey = open.at(-1) instanceof Set;
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
      expectsKey = false;
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      number.lastIndex = at;
      const written = number.exec(text)?.[0] ?? '-';
      if (String(Number(written)) !== written) scan.isPlain = false;
      at += written.length - 1;
    }
  }
  return scan;
}

function keyOf(written: string): string {
  if (!written.includes('\\')) return written;
  try {
    return JSON.parse(`"${written}"`) as string;
  } catch {
    return written;
  }
}
