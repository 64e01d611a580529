/** One token as stored: its id and, in the lowest bit, whether it is trained. Ids below 2³¹ fit. */
export const tokenWord = {
  of: (id: number, isTrained: boolean): number => ((id << 1) | (isTrained ? 1 : 0)) >>> 0,
  id: (word: number): number => word >>> 1,
  /** The label of the token: its id, or -100 where it is not trained. */
  label: (word: number): number => (word & 1 ? word >>> 1 : -100),
};
