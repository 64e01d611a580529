import { describeValue } from '../../common/describe-value.js';
import type { Json } from './families.js';

/** Reads values of config.json and gathers what is wrong with them. */
export class ConfigValues {
  readonly faults: string[] = [];

  /** @param names what the values are called in config.json, where that is something else */
  constructor(
    readonly json: Json,
    private readonly names: Readonly<Record<string, string>> = {},
  ) {}

  fault(expected: string, key: string, found: unknown): void {
    this.faults.push(`${this.names[key] ?? key}: expected ${expected}, found ${describeValue(found)}`);
  }

  /**
   * A whole number from 1 to `most`; `fallback` for null and nothing. The bound keeps a configuration that lies from making
   * the engine build layers until the memory is gone.
   */
  size(key: string, fallback?: number, most = 2 ** 31 - 1): number {
    const value = this.json[key] ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most)
      return value as number;
    this.fault(`a whole number from 1 to ${most}`, key, value);
    return 1;
  }

  /** A number above 0; `fallback` for null and nothing. */
  positive(key: string, fallback?: number): number {
    const value = this.json[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    this.fault('a number above 0', key, value);
    return 1;
  }

  /** The same, and 0 for null or nothing. */
  positiveOrNone(key: string): number {
    return this.json[key] == null ? 0 : this.positive(key);
  }
}
