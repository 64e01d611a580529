/** How many leading and how many trailing elements two sequences (strings, arrays or bytes) have in common. */
export const sharedEnds = {
  leading<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
    const limit = Math.min(a.length, b.length);
    let count = 0;
    while (count < limit && a[count] === b[count]) count++;
    return count;
  },
  trailing<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
    const limit = Math.min(a.length, b.length);
    let count = 0;
    while (count < limit && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
    return count;
  },
};
