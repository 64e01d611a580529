/** All that an async iterable gives. The fault of a row is thrown. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) {
    const { fault } = item as { fault?: Error };
    if (fault !== undefined) throw fault;
    all.push(item);
  }
  return all;
}
