/**
 * A number of a data file that JavaScript would not write as the file does (`1.0`, `1e5`, `1187263549871234567`), kept as its
 * text. It counts and compares like a number, as far as a double holds it.
 */
export class JsonNumber {
  /** @param text as a JSON file writes it */
  constructor(readonly text: string) {}

  /** A number where JavaScript writes it exactly so, else a `JsonNumber`. */
  static of(text: string): number | JsonNumber {
    const value = Number(text);
    return String(value) === text ? value : new JsonNumber(text);
  }

  /** Whether Python reads it as `int`: no fraction and no exponent. */
  get isInteger(): boolean {
    return /^-?\d+$/.test(this.text);
  }

  /** The nearest double. */
  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  /** For JSON.stringify, which knows doubles only; `losslessJson.stringify` keeps the text. */
  toJSON(): number {
    return this.valueOf();
  }
}
