/**
 * Deals items, longest first, each to the one of `count` bins that has the fewest tokens and is not full.
 * @param most items of a bin
 */
export function deal<Item>(
  items: readonly Item[],
  lengthOf: (item: Item) => number,
  count: number,
  most: number,
): Item[][] {
  const bins = Array.from({ length: count }, () => ({ items: [] as Item[], tokens: 0 }));
  for (const item of [...items].sort((a, b) => lengthOf(b) - lengthOf(a))) {
    const open = bins.filter((bin) => bin.items.length < most);
    const emptiest = open.reduce((least, bin) => (bin.tokens < least.tokens ? bin : least));
    emptiest.items.push(item);
    emptiest.tokens += lengthOf(item);
  }
  return bins.map((bin) => bin.items);
}
