/** Cuts a sequence into arrays of `size`; the last may be shorter. */
export async function* chunked<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], void, undefined> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length === size) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** The items after the first `count`. */
export async function* skipped<T>(
  count: number,
  items: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let index = 0;
  for await (const item of items) if (index++ >= count) yield item;
}
