import { parquetSchema, type FileMetaData, type SchemaElement, type SchemaTree } from 'hyparquet';
import { floatText } from '../../common/float-text.js';
import { JsonNumber } from '../../common/json-number.js';
import { orderedObject } from '../../common/ordered-object.js';

/**
 * Makes rows of what hyparquet reads, with each number as Python would write it: a double is `1.0`, a decimal has its
 * digits, an integer all of its own.
 */
export class ParquetValues {
  private readonly root: SchemaTree;
  private readonly scales = new Map<SchemaElement, number>();

  /** @param metadata it is changed: decimals are read as they are stored, for hyparquet would round them */
  constructor(metadata: FileMetaData) {
    for (const element of metadata.schema) {
      if (element.converted_type !== 'DECIMAL' || element.type === 'BYTE_ARRAY') continue;
      this.scales.set(element, element.scale ?? 0);
      delete element.converted_type;
      delete element.logical_type;
    }
    this.root = parquetSchema(metadata);
  }

  row(row: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => {
        const column = this.root.children.find((child) => child.element.name === name);
        return [name, column === undefined ? value : this.value(value, column)];
      }),
    );
  }

  private value(value: unknown, node: SchemaTree): unknown {
    if (value === undefined || value === null) return null;
    if (node.children.length === 0) {
      if (Array.isArray(value) && node.element.repetition_type === 'REPEATED')
        return value.map((item) => this.leaf(item, node.element));
      return this.leaf(value, node.element);
    }
    if (Array.isArray(value)) {
      const item = node.element.repetition_type === 'REPEATED' ? node : itemOf(node);
      return value.map((one) => this.value(one, item));
    }
    if (node.element.converted_type === 'MAP') return this.map(value as Record<string, unknown>, node);
    const fields = value as Record<string, unknown>;
    return orderedObject(
      node.children.map((child) => [child.element.name, this.value(fields[child.element.name], child)]),
    );
  }

  private map(value: Record<string, unknown>, node: SchemaTree): unknown {
    const of = node.children[0]?.children.find((child) => child.element.name === 'value');
    if (of === undefined) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, this.value(entry, of)]));
  }

  private leaf(value: unknown, element: SchemaElement): unknown {
    if (value === undefined || value === null) return null;
    const scale = this.scales.get(element);
    if (scale !== undefined) return JsonNumber.of(decimalText(value as number | bigint | Uint8Array, scale));
    if (typeof value === 'bigint') return JsonNumber.of(String(value));
    const isFloat =
      ['DOUBLE', 'FLOAT'].includes(element.type ?? '') || element.logical_type?.type === 'FLOAT16';
    if (typeof value === 'number' && isFloat && Number.isFinite(value))
      return JsonNumber.of(floatText(value));
    return value;
  }
}

/** Of a list: `list.element` in most files, in some the repeated group is the item. */
function itemOf(node: SchemaTree): SchemaTree {
  const [repeated] = node.children;
  return repeated?.children.length === 1 ? repeated.children[0]! : (repeated ?? node);
}

/** A whole number of units of 10^-scale. Bytes are a two's complement, the highest first. */
function decimalText(value: number | bigint | Uint8Array, scale: number): string {
  let units: bigint;
  if (value instanceof Uint8Array) {
    units = value.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    units = BigInt.asIntN(value.length * 8, units);
  } else {
    units = BigInt(value);
  }
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${units < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}
