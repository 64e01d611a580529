import { endOfJsonString } from './end-of-json-string.js';
import { JsonNumber } from './json-number.js';
import { orderedObject } from './ordered-object.js';
import { scanJson, type JsonScan } from './scan-json.js';

/**
 * JSON as JSON.parse and JSON.stringify have it, but that nothing is lost: a number that JavaScript would write otherwise
 * is a `JsonNumber`, and an object whose keys JavaScript would put in another order is a `Map`.
 */
export const losslessJson = {
  /** @param scan of the same text, where it was made already. @throws SyntaxError where it is no JSON */
  parse(text: string, scan: JsonScan = scanJson(text)): unknown {
    const value: unknown = JSON.parse(text);
    return scan.isPlain ? value : new Builder(text).value();
  },

  /** Of anything that `parse` gives; `bigint` is written as a number. */
  stringify(value: unknown): string {
    if (value instanceof JsonNumber) return value.text;
    if (typeof value === 'bigint') return String(value);
    if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
    if (Array.isArray(value)) return `[${value.map(losslessJson.stringify).join(',')}]`;
    if ('toJSON' in value && typeof value.toJSON === 'function') return JSON.stringify(value) ?? 'null';
    const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
    const written = entries
      .filter(([, entry]) => entry !== undefined && typeof entry !== 'function')
      .map(([key, entry]) => `${JSON.stringify(key)}:${losslessJson.stringify(entry)}`);
    return `{${written.join(',')}}`;
  },
};

const space = /[ \t\n\r]*/y;
const token = /[^\s,\]}]+/y;

/** Builds the value of a text that is known to be JSON. */
class Builder {
  private at = 0;

  constructor(private readonly text: string) {}

  value(): unknown {
    this.take(space);
    const first = this.text[this.at];
    if (first === '{') return orderedObject(this.list('}', () => this.entry()));
    if (first === '[') return this.list(']', () => this.value());
    if (first === '"') return this.string();
    const word = this.take(token);
    return /^[tfn]/.test(word) ? (JSON.parse(word) as unknown) : JsonNumber.of(word);
  }

  private entry(): [string, unknown] {
    this.take(space);
    const key = this.string();
    this.take(space);
    this.at++; // the colon
    return [key, this.value()];
  }

  private list<Item>(close: string, item: () => Item): Item[] {
    const items: Item[] = [];
    this.at++;
    for (;;) {
      this.take(space);
      const next = this.text[this.at];
      if (next === close || next === ',') this.at++;
      if (next === close) return items;
      if (next !== ',') items.push(item());
    }
  }

  private string(): string {
    const start = this.at;
    this.at = endOfJsonString(this.text, start) + 1;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}
