import { fileFault } from './file-fault.js';
import { textPlace } from './text-place.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The text of whole lines of a file. A byte order mark at the start of line 1 is dropped.
 *
 * @param line the line the bytes start at, from 1
 * @throws AdaptiveTrainerError `DATASET_INVALID` with line and column of the first byte that is not UTF-8
 */
export function decodeUtf8(path: string, bytes: Buffer, line: number): string {
  const text = strictly(bytes);
  if (text !== undefined) return line === 1 ? text.replace(/^\uFEFF/, '') : text;
  // Replaced bytes do not come back as they were: the first difference is the first byte that is not UTF-8.
  const replaced = lenient.decode(bytes);
  const again = Buffer.from(replaced);
  let at = 0;
  while (bytes[at] === again[at]) at++;
  while (at > 0 && strictly(bytes.subarray(0, at)) === undefined) at--; // back to a character's first byte
  const place = textPlace(lenient.decode(bytes.subarray(0, at)), line);
  const byte = `0x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
  const shown = replaced.split('\n')[place.line - line] ?? '';
  throw fileFault(path, place, 'UTF-8 text', `the byte ${byte}`, shown, 'Save the file as UTF-8.');
}

function strictly(bytes: Buffer): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
