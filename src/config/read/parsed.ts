const parsed = new WeakSet<object>();

/**
 * Freezes a part of a configuration that has been read and marks it: it is taken as it is wherever a configuration is
 * expected. A changed copy is another object, which is read and checked anew.
 */
export function asParsed<T extends object>(part: T): T {
  parsed.add(part);
  return Object.freeze(part);
}

/** The same for a part that holds nothing of the user's own objects: what is in it is frozen too. */
export function asParsedWhole<T extends object>(part: T): T {
  for (const value of Object.values(part)) {
    if (typeof value === 'object' && value !== null) asParsedWhole(value as object);
  }
  return asParsed(part);
}

/** Whether a value is a part of a configuration that has been read. */
export function isParsed(value: unknown): boolean {
  return typeof value === 'object' && value !== null && parsed.has(value);
}
