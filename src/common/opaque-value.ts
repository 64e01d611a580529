/** A value of a data file that neither text nor JSON has a form for. A row that uses it is refused, in these words. */
export class OpaqueValue {
  /**
   * @param what it is, in words: `a time of day`
   * @param value as it was read
   */
  constructor(
    readonly what: string,
    readonly value: unknown,
  ) {}
}
