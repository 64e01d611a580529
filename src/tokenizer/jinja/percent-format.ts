import type { Budget } from './budget.js';
import { pythonRepr, pythonStr } from './python-str.js';
import { codePointLength, concat, cut, isText, plain, type Text } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Dict, isNumeric, Tuple, typeName, Undefined, type Value } from './values.js';

const conversion = /%(?:\(([^)]*)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g;

/** Python's `text % values`. */
export function percentFormat(format: Text, values: Value, budget: Budget): Text {
  const source = plain(format);
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let at = 0;
  const parts: Text[] = [];
  for (const found of source.matchAll(conversion)) {
    const [whole, key, flags = '', width = '', precision, kind = ''] = found;
    const before = cut(format, at, found.index);
    if (plain(before).includes('%')) break;
    parts.push(before);
    at = found.index + whole.length;
    if (kind === '%') {
      parts.push('%');
      continue;
    }
    const value = key === undefined ? list[used++] : (values as Dict).get(key);
    if (value === undefined) throw typeError('not enough arguments for format string');
    const text = converted(value, { flags, precision, kind, budget });
    parts.push(padded(text, Number(width), flags, budget));
  }
  const rest = cut(format, at, source.length);
  if (plain(rest).includes('%')) throw new TemplateError('ValueError', 'incomplete or unknown format');
  const isMapping = values instanceof Dict || Array.isArray(values);
  if (used < list.length && !isMapping)
    throw typeError('not all arguments converted during string formatting');
  return concat([...parts, rest]);
}

interface Conversion {
  flags: string;
  precision: string | undefined;
  kind: string;
  budget: Budget;
}

function converted(value: Value, { flags, precision, kind, budget }: Conversion): Text {
  if (value instanceof Undefined && kind !== 's') throw value.error();
  if (kind === 's' || kind === 'r') {
    const text = kind === 's' ? pythonStr(value, budget) : pythonRepr(value, budget);
    return precision === undefined ? text : cut(text, 0, Number(precision));
  }
  const sign = (text: string) => (text.startsWith('-') ? text : flags.includes('+') ? `+${text}` : text);
  if (!isNumeric(value))
    throw typeError(`%${kind} format: a real number is required, not ${typeName(value)}`);
  if ('diu'.includes(kind)) {
    return sign(String(typeof value === 'number' ? BigInt(Math.trunc(value)) : BigInt(value)));
  }
  if (kind === 'f' && Math.abs(Number(value)) < 1e21) {
    return sign(Number(value).toFixed(Math.min(100, Number(precision ?? 6))));
  }
  if ((kind === 'x' || kind === 'X' || kind === 'o') && typeof value !== 'number') {
    const text = BigInt(value).toString(kind === 'o' ? 8 : 16);
    return sign(kind === 'X' ? text.toUpperCase() : text);
  }
  throw notSupported(`the format %${kind}`);
}

function padded(text: Text, width: number, flags: string, budget: Budget): Text {
  budget.text(width);
  const missing = Math.max(0, width - codePointLength(text));
  if (missing === 0) return text;
  if (flags.includes('-')) return concat([text, ' '.repeat(missing)]);
  if (flags.includes('0') && !isText(text)) return text;
  const digits = plain(text);
  if (!flags.includes('0') || !/^[-+]?[\d.a-fA-F]+$/.test(digits)) return concat([' '.repeat(missing), text]);
  const signed = /^[-+]/.test(digits) ? 1 : 0;
  return digits.slice(0, signed) + '0'.repeat(missing) + digits.slice(signed);
}
