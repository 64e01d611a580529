/** An element of a JSON array in a file, as bytes. */
export interface ArrayElement {
  /** Null: it has more than `most`. */
  bytes: Buffer | null;
  index: number;
}

/**
 * Cuts the one JSON array of a file into its elements without reading it whole. What lies between the commas is given
 * as it is, valid or not. Returns true when the text ends with the closing bracket, as it should, else false.
 * @param most bytes of an element that are kept
 */
export async function* arrayElements(
  chunks: AsyncIterable<Buffer>,
  most: number,
): AsyncGenerator<ArrayElement, boolean> {
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let index = 0;
  let pending: Buffer[] = [];
  let held = 0;
  let isClosed = false;
  for await (const chunk of chunks) {
    let from = 0;
    const element = (end: number): ArrayElement => {
      const isTooLong = held + end - from > most;
      const bytes = isTooLong ? null : Buffer.concat([...pending, chunk.subarray(from, end)]);
      [pending, held] = [[], 0];
      from = end + 1;
      return { bytes, index: index++ };
    };
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === 0x5c) isEscaped = true;
        else if (byte === 0x22) inString = false;
        else at = nextInString(chunk, at) - 1;
      } else if (isClosed) {
        if (!isSpace(byte)) return false;
      } else if (byte === 0x22) {
        inString = true;
      } else if (byte === 0x5b || byte === 0x7b) {
        if (++depth === 1) from = at + 1;
      } else if (byte === 0x5d || byte === 0x7d) {
        if (--depth > 0) continue;
        isClosed = byte === 0x5d;
        const last = element(at);
        if (!isClosed) return false;
        if (last.index > 0 || last.bytes === null || last.bytes.some((one) => !isSpace(one))) yield last;
      } else if (byte === 0x2c && depth === 1) {
        yield element(at);
      }
    }
    if (depth === 0) continue;
    held += chunk.length - from;
    if (held > most) pending = [];
    else pending.push(chunk.subarray(from));
  }
  return isClosed;
}

/** The next byte from `at` that ends a string or escapes; strings are long, and looking at each byte takes long. */
function nextInString(chunk: Buffer, at: number): number {
  const quote = chunk.indexOf(0x22, at);
  const end = quote < 0 ? chunk.length : quote;
  const slash = chunk.subarray(at, end).indexOf(0x5c);
  return slash < 0 ? end : at + slash;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
