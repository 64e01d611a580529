import type { Budget } from './budget.js';
import { floatText, numberText } from './python-str.js';
import { concat, isText, plain, respelled, type Text } from './tagged-text.js';
import { TemplateError, typeError } from './template-error.js';
import { comparePython } from './compare.js';
import { Dict, isNumeric, Markup, Tuple, typeName, type Value } from './values.js';

export interface JsonOptions {
  ensureAscii: boolean;
  /** What one level is indented by; null: all on one line. */
  indent: string | null;
  separators: readonly [Text, Text];
  sortKeys: boolean;
}

/** Python's `json.dumps`, which is the `tojson` of transformers: nothing is escaped for HTML. */
export function pythonJson(value: Value, options: JsonOptions, budget: Budget, level = 0): Text {
  budget.step();
  if (value === null) return 'null';
  if (value instanceof Markup) value = value.text;
  if (typeof value === 'boolean') return String(value);
  if (isText(value)) return quoted(value, options);
  if (isNumeric(value)) return numberJson(value);
  const one = (item: Value) => pythonJson(item, options, budget, level + 1);
  return budget.nested(() => {
    if (Array.isArray(value)) return bracketed('[]', value.map(one), options, level, budget);
    if (value instanceof Tuple) return bracketed('[]', value.items.map(one), options, level, budget);
    if (!(value instanceof Dict))
      throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
    const entries = value.entries();
    if (options.sortKeys) entries.sort(([a], [b]) => comparePython(a, b, '<', budget));
    const members = entries.map(([key, of]) =>
      concat([quoted(keyText(key), options), options.separators[1], one(of)]),
    );
    return bracketed('{}', members, options, level, budget);
  });
}

function numberJson(value: boolean | bigint | number): string {
  if (typeof value !== 'number' || Number.isFinite(value)) return numberText(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function keyText(key: Value): Text {
  if (isText(key)) return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'number') return Number.isFinite(key) ? floatText(key) : numberJson(key);
  if (typeof key === 'bigint') return String(key);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function bracketed(
  pair: string,
  parts: Text[],
  { indent, separators }: JsonOptions,
  level: number,
  budget: Budget,
): Text {
  if (parts.length === 0) return pair;
  const line = indent === null ? '' : `\n${indent.repeat(level + 1)}`;
  const end = indent === null ? '' : `\n${indent.repeat(level)}`;
  budget.text(parts.reduce((sum, part) => sum + plain(part).length, 0));
  const joined = parts.flatMap((part, index) => (index === 0 ? [line, part] : [separators[0], line, part]));
  return concat([pair[0]!, ...joined, end, pair[1]!]);
}

function quoted(text: Text, { ensureAscii }: JsonOptions): Text {
  const written = JSON.stringify(plain(text));
  if (!ensureAscii) return respelled(text, written);
  const ascii = written.replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return respelled(text, ascii);
}

/** Options from the arguments of `tojson`. */
export function jsonOptions(
  ensureAscii: boolean,
  indent: Value,
  separators: Value,
  sortKeys: boolean,
): JsonOptions {
  if (indent !== null && !isText(indent) && typeof indent !== 'bigint' && typeof indent !== 'boolean') {
    throw typeError(`tojson: indent must be an int or a str, not ${typeName(indent)}`);
  }
  const wide = indent === null ? null : isText(indent) ? plain(indent) : ' '.repeat(spaces(BigInt(indent)));
  const pair = separators instanceof Tuple ? separators.items : separators;
  if (pair !== null && !(Array.isArray(pair) && pair.length === 2 && pair.every(isText))) {
    throw new TemplateError('ValueError', 'tojson: separators must be two strings');
  }
  const [item, key] = pair ?? [indent === null ? ', ' : ',', ': '];
  return { ensureAscii, indent: wide, separators: [item as Text, key as Text], sortKeys };
}

function spaces(count: bigint): number {
  if (count > 1000n) throw new TemplateError('TooMuchWork', 'tojson: an indent of more than 1000 spaces');
  return Math.max(0, Number(count));
}
