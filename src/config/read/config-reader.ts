import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { ConfigFault } from '../../common/config-fault.js';
import { configPath } from './config-path.js';
import type { ConfigWarning } from './config-warning.js';
import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { snakeCase } from '../../common/snake-case.js';
import { otherTrainers, type Verdict } from '../schema/other-trainers.js';
import { groupWithKey } from './group-with-key.js';
import { suggest } from '../../common/suggest.js';

/** The keys an object gave, under their camelCase names, each with the path as the user spelled it. */
export type GivenKeys = Map<string, { value: unknown; path: string }>;

/** Reads the objects of one configuration and collects what is wrong with them, so that all of it is told at once. */
export class ConfigReader {
  readonly faults: ConfigFault[] = [];
  readonly warnings: ConfigWarning[] = [];

  /** @param snake spell names that the user did not write (missing or suggested keys) in snake_case */
  constructor(private readonly snake: boolean) {}

  /** A camelCase name in the user's spelling. */
  spell(name: string): string {
    return this.snake ? snakeCase(name) : name;
  }

  /** Records a value that is not what it should be. */
  unexpected(path: string, expected: string, received: unknown): void {
    const code = received === undefined ? 'MISSING' : 'INVALID';
    const message = `expected ${expected}, received ${describeValue(received)}${quotesHint(expected, received)}`;
    this.faults.push({ path, code, message });
  }

  /** Records a key that is not known. `elsewhere` names the object it does belong to, if any. */
  unknownKey(path: string, key: string, known: readonly string[], elsewhere?: string): void {
    const verdict = otherTrainers.get(snakeCase(key));
    const near = suggest(key, known);
    const fault: ConfigFault = {
      path,
      code: 'UNKNOWN_KEY',
      message: 'expected a known key, received an unknown one',
    };
    if (verdict !== undefined) {
      fault.message = `expected a key of this library, received one of another trainer; ${this.hint(verdict)}`;
      if (verdict.kind === 'renamed') fault.suggestion = this.spell(verdict.to);
    } else if (elsewhere !== undefined) {
      fault.message += `; it belongs in ${this.spell(elsewhere)}`;
    } else if (near !== undefined) {
      fault.suggestion = this.spell(near);
      fault.message += `; did you mean ${JSON.stringify(fault.suggestion)}?`;
    }
    this.faults.push(fault);
  }

  private hint(verdict: Verdict): string {
    if (verdict.kind === 'missing') return verdict.hint;
    if (verdict.kind === 'noEffect') return `remove it: ${verdict.note}`;
    const group = groupWithKey(verdict.to);
    const where = group === undefined ? '' : ` in ${this.spell(group)}`;
    return `it is ${JSON.stringify(this.spell(verdict.to))}${where} here`;
  }

  /**
   * The keys of an object under their camelCase names. Undefined values count as absent, and so does the whole
   * object where it is undefined or null. `other` may take keys that are not in `known` by returning true.
   */
  keys(
    value: unknown,
    path: string,
    known: readonly string[],
    other: (key: string, value: unknown, path: string) => boolean = () => false,
    elsewhere: (key: string) => string | undefined = () => undefined,
  ): GivenKeys {
    const given: GivenKeys = new Map();
    if (value === undefined || value === null) return given;
    if (!isPlainObject(value)) {
      this.unexpected(path, 'an object', value);
      return given;
    }
    const names = new Map(known.flatMap((name) => [[snakeCase(name), name] as const, [name, name] as const]));
    for (const [key, entry] of Object.entries(value)) {
      if (entry === undefined) continue;
      const entryPath = configPath(path, key);
      const name = names.get(key);
      if (name !== undefined) this.keep(given, name, entry, entryPath);
      else if (!other(key, entry, entryPath)) this.unknownKey(entryPath, key, known, elsewhere(key));
    }
    return given;
  }

  private keep(given: GivenKeys, name: string, value: unknown, path: string): void {
    const first = given.get(name);
    if (first === undefined) {
      given.set(name, { value, path });
    } else if (!isDeepStrictEqual(first.value, value)) {
      const message = `expected one spelling of this key, received it as ${first.path} too, with another value; remove one`;
      this.faults.push({ path, code: 'SPELLED_TWICE', message });
    }
  }

  /** Checks keys against a schema and fills in its defaults. Undefined where there was a fault. */
  read<Schema extends z.ZodObject>(
    schema: Schema,
    given: GivenKeys,
    path: string,
  ): z.output<Schema> | undefined {
    const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
    const result = schema.safeParse(values);
    if (result.success) return result.data;
    const told = new Set<string>();
    for (const issue of result.error.issues) {
      const [name, ...rest] = issue.path as [string, ...(string | number)[]];
      const start = given.get(name)?.path ?? configPath(path, this.spell(name));
      const issuePath = rest.reduce<string>(configPath, start);
      if (told.has(issuePath)) continue; // zod reports each failed check; they all carry the one message
      told.add(issuePath);
      this.unexpected(issuePath, issue.message, valueAt(values, issue.path));
    }
    return undefined;
  }
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    root,
  );
}

function quotesHint(expected: string, received: unknown): string {
  if (typeof received !== 'string') return '';
  const isNumber = received.trim() !== '' && Number.isFinite(Number(received)) && /number|-1/.test(expected);
  const isFlag = /^(true|false)$/i.test(received) && expected.includes('true');
  if (isNumber) return '; write it without quotes';
  return isFlag ? `; write ${received.toLowerCase()} without quotes` : '';
}
