/** An object of entries; a `Map` where JavaScript would put its keys, being whole numbers, in another order. */
export function orderedObject(
  entries: readonly (readonly [string, unknown])[],
): Record<string, unknown> | Map<string, unknown> {
  const object = Object.fromEntries(entries);
  return Object.keys(object).every((key, index) => key === entries[index]?.[0]) ? object : new Map(entries);
}
