import { isText, plain, type Text } from './tagged-text.js';
import { TemplateError, typeError } from './template-error.js';

/** A value of a template: int is bigint, float is number, list is an array, None is null. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | Text
  | Value[]
  | Undefined
  | Tuple
  | Dict
  | DictView
  | Range
  | Generator
  | Namespace
  | Callable
  | Markup
  | Loop;

/** What a name, key or attribute that does not exist is. It prints as nothing; using it otherwise is an error. */
export class Undefined {
  constructor(private readonly what: string) {}

  error(): TemplateError {
    return new TemplateError('UndefinedError', this.what);
  }
}

/** The value, or what stands for one that there is not. Not `??`, to which None would be nothing. */
export function known(value: Value | undefined, what: string): Value {
  return value === undefined ? new Undefined(what) : value;
}

export class Tuple {
  /** @param names of the items, for those that have any (`grouper`, `list`) */
  constructor(
    readonly items: Value[],
    readonly names: readonly string[] = [],
  ) {}
}

/** A dict: in the order of insertion, with any hashable key. */
export class Dict {
  private readonly entriesByHash = new Map<string, [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.entriesByHash.size;
  }

  /** @throws TemplateError `TypeError` for a key that cannot be one */
  get(key: Value): Value | undefined {
    return this.entriesByHash.get(hashKey(key))?.[1];
  }

  set(key: Value, value: Value): void {
    const hash = hashKey(key);
    const present = this.entriesByHash.get(hash);
    if (present === undefined) this.entriesByHash.set(hash, [key, value]);
    else present[1] = value;
  }

  has(key: Value): boolean {
    return this.entriesByHash.has(hashKey(key));
  }

  entries(): [Value, Value][] {
    return [...this.entriesByHash.values()];
  }
}

/** `dict.keys()`, `values()` and `items()`. */
export class DictView {
  constructor(
    readonly kind: 'keys' | 'values' | 'items',
    readonly dict: Dict,
  ) {}

  items(): Value[] {
    const entries = this.dict.entries();
    if (this.kind === 'items') return entries.map((entry) => new Tuple([...entry]));
    return entries.map(([key, value]) => (this.kind === 'keys' ? key : value));
  }
}

export class Range {
  constructor(
    readonly start: bigint,
    readonly stop: bigint,
    readonly step: bigint,
  ) {}

  get length(): number {
    const { start, stop, step } = this;
    const distance = step > 0n ? stop - start : start - stop;
    const size = step > 0n ? step : -step;
    return distance <= 0n ? 0 : Number((distance + size - 1n) / size);
  }

  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
}

/** What Python makes of `map`, `select`, `reverse` and others: it can be gone through once, and has no length. */
export class Generator {
  constructor(
    private values: Value[],
    readonly what = 'generator',
  ) {}

  take(): Value[] {
    const { values } = this;
    this.values = [];
    return values;
  }

  next(): Value | undefined {
    const [first, ...rest] = this.values;
    this.values = rest;
    return first;
  }
}

export class Namespace {
  constructor(readonly values: Map<string, Value>) {}
}

/** A function, macro or bound method. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], named: ReadonlyMap<string, Value>) => Value,
  ) {}
}

/** Text that was escaped or declared safe; Python escapes what is joined to it, so nothing but printing is allowed. */
export class Markup {
  constructor(readonly text: Text) {}
}

/** The variable `loop`. */
export class Loop {
  last: Value[] | undefined;

  constructor(
    readonly items: readonly Value[],
    public index: number,
    readonly depth: number,
    readonly recurse: ((items: Value) => Value) | undefined,
  ) {}
}

export const isNumeric = (value: unknown): value is boolean | bigint | number =>
  typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (isText(value)) return 'str';
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
  }
  if (value instanceof DictView) return `dict_${value.kind}`;
  if (value instanceof Generator) return value.what;
  const names: [new (...args: never[]) => unknown, string][] = [
    [Undefined, 'Undefined'],
    [Tuple, 'tuple'],
    [Dict, 'dict'],
    [Range, 'range'],
    [Namespace, 'Namespace'],
    [Markup, 'Markup'],
    [Loop, 'LoopContext'],
  ];
  return names.find(([type]) => (value as unknown) instanceof type)?.[1] ?? 'function';
}

export function truthy(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (isText(value)) return plain(value) !== '';
  if (value instanceof Markup) return plain(value.text) !== '';
  if (Array.isArray(value) || value instanceof Range) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (isNumeric(value)) return Boolean(value);
  return true;
}

/** Equal values have equal keys: 1, 1.0 and True are the same one. */
function hashKey(value: Value): string {
  if (value === null) return 'none';
  if (isText(value)) return `s${plain(value)}`;
  if (typeof value === 'number' && Number.isInteger(value)) return `n${BigInt(value)}`;
  if (isNumeric(value)) return `n${typeof value === 'boolean' ? Number(value) : value}`;
  if (value instanceof Tuple) {
    const key = `t${value.items.map((item) => hashKey(item)).map((part) => `${part.length}:${part}`)}`;
    if (key.length > 2 ** 20)
      throw new TemplateError('TooMuchWork', 'a dict has a key of more than a million characters');
    return key;
  }
  if (value instanceof Undefined) return 'undefined';
  throw typeError(`unhashable type: '${typeName(value)}'`);
}

/** The items that Python's `iter` gives of anything but a string. Undefined: it cannot be iterated. */
export function itemsOf(value: Value): Value[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.entries().map(([key]) => key);
  if (value instanceof DictView) return value.items();
  if (value instanceof Generator) return value.take();
  if (value instanceof Undefined) return [];
  if (value instanceof Range) {
    return Array.from({ length: value.length }, (_, index) => value.at(index));
  }
  return undefined;
}
