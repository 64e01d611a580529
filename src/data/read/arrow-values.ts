import { Type, type Batch, type Field } from '@uwdata/flechette';
import { floatText } from '../../common/float-text.js';
import { JsonNumber } from '../../common/json-number.js';
import { OpaqueValue } from '../../common/opaque-value.js';
import { orderedObject } from '../../common/ordered-object.js';
import { cellValues } from './cell-values.js';
import { decimalText } from './decimal-text.js';
import { rowLimits } from './row-limits.js';

/** A column of a record batch, with what flechette's types leave out of the kinds of batches. */
type Column = Batch<unknown> & {
  key?: (index: number) => number;
  dictionary?: { data: Column[] };
  view?: (index: number) => Uint8Array;
};

/**
 * The value of one cell as Python would write it: an integer has all of its digits, a double is `1.0`, text is as it is in
 * the file, byte by byte.
 */
export function arrowValue(column: Column, field: Field, index: number): unknown {
  if (column.nullCount > 0 && column.validity?.length > 0 && !column.isValid(index)) return null;
  const type = field.type as { typeId: number; children?: Field[]; dictionary?: unknown };
  const child = (at: number, row: number) => arrowValue(column.children[at]!, type.children![at]!, row);
  const list = (start: number, end: number) =>
    Array.from({ length: checkedLength(column, start, end) }, (_, item) => child(0, start + item));
  const offset = (at: number) => Number(column.offsets[at]);
  switch (type.typeId) {
    case Type.Null:
      return null;
    case Type.Utf8:
    case Type.LargeUtf8:
      return text((column.values as Uint8Array).subarray(offset(index), offset(index + 1)), field);
    case Type.Utf8View:
      return text(column.view!(index), field);
    case Type.Dictionary:
      return dictionaryValue(column, { ...field, type: type.dictionary as Field['type'] }, index);
    case Type.Struct:
      return orderedObject(type.children!.map(({ name }, at) => [name, child(at, index)]));
    case Type.List:
    case Type.LargeList:
      return list(offset(index), offset(index + 1));
    case Type.ListView:
    case Type.LargeListView:
      return list(offset(index), offset(index) + Number(column.sizes[index]));
    case Type.FixedSizeList: {
      const { stride } = field.type as unknown as { stride: number };
      return list(index * stride, (index + 1) * stride);
    }
    case Type.Map:
      return mapValue(column, type.children![0]!, offset(index), offset(index + 1));
    default:
      return leaf(column.value(index), field.type);
  }
}

function text(bytes: Uint8Array, { metadata }: Field): unknown {
  const isJson = metadata?.get('ARROW:extension:name') === 'arrow.json';
  return isJson ? cellValues.json(bytes) : cellValues.text(bytes);
}

function mapValue(column: Column, field: Field, start: number, end: number): unknown {
  const entries = column.children[0] as Column;
  const length = checkedLength(column, start, end);
  const [key, value] = (field.type as unknown as { children: [Field, Field] }).children;
  return cellValues.map(
    Array.from({ length }, (_, item) => [
      arrowValue(entries.children[0]!, key, start + item),
      arrowValue(entries.children[1]!, value, start + item),
    ]),
  );
}

function dictionaryValue(column: Column, field: Field, index: number): unknown {
  let key = Number(column.key!(index));
  for (const part of column.dictionary!.data) {
    if (key < part.length) return arrowValue(part, field, key);
    key -= part.length;
  }
  throw new Error('a key lies outside of its dictionary');
}

/** How many items a list has; a small file may declare any number of them. */
function checkedLength(column: Column, start: number, end: number): number {
  const there = column.children[0]!.length;
  if (start >= 0 && start <= end && end <= there && there <= rowLimits.groupValues) return end - start;
  throw new Error(`a list takes its items from ${start} to ${end} of ${there}`);
}

const opaque: Record<number, string> = {
  [Type.Time]: 'a time of day',
  [Type.Duration]: 'a duration',
  [Type.Interval]: 'an interval',
  [Type.Binary]: 'bytes',
  [Type.LargeBinary]: 'bytes',
  [Type.BinaryView]: 'bytes',
  [Type.FixedSizeBinary]: 'bytes',
  [Type.Union]: 'a value of a union',
};

function leaf(value: unknown, type: Field['type']): unknown {
  if (value === null || value === undefined) return null;
  switch (type.typeId) {
    case Type.Bool:
      return value;
    case Type.Int:
      return cellValues.integer(value as number | bigint);
    case Type.Float:
      return Number.isFinite(value) ? JsonNumber.of(floatText(value as number)) : value;
    case Type.Decimal:
      return JsonNumber.of(
        decimalText(value as number | bigint, (type as unknown as { scale: number }).scale),
      );
    case Type.Date:
    case Type.Timestamp:
      return new Date(value as number);
    default:
      return new OpaqueValue(opaque[type.typeId] ?? 'a value of a kind that is not read', value);
  }
}
