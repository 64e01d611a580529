import { parquetSchema, type FileMetaData, type SchemaElement, type SchemaTree } from 'hyparquet';
import { floatText } from '../../common/float-text.js';
import { JsonNumber } from '../../common/json-number.js';
import { OpaqueValue } from '../../common/opaque-value.js';
import { orderedObject } from '../../common/ordered-object.js';
import { cellValues } from './cell-values.js';
import { decimalText } from './decimal-text.js';

/**
 * Makes rows of what hyparquet reads, with each number as Python would write it: a double is `1.0`, a decimal has its
 * digits, an integer all of its own.
 */
export class ParquetValues {
  private readonly root: SchemaTree;
  private readonly scales = new Map<SchemaElement, number>();
  private readonly maps = new Set<SchemaElement>();

  /**
   * @param metadata it is changed: decimals and maps are read as they are stored, for hyparquet would round the former, and
   * make keys of the latter text in another order
   */
  constructor(metadata: FileMetaData) {
    for (const element of metadata.schema) {
      const isDecimal = element.converted_type === 'DECIMAL';
      if (isDecimal) this.scales.set(element, element.scale ?? 0);
      else if (element.converted_type === 'MAP') this.maps.add(element);
      else continue;
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
    if (this.maps.has(node.element)) return this.map(value as Record<string, unknown>, node);
    const fields = value as Record<string, unknown>;
    return orderedObject(
      node.children.map((child) => [child.element.name, this.value(fields[child.element.name], child)]),
    );
  }

  private map(value: Record<string, unknown>, node: SchemaTree): unknown {
    const entries = node.children[0]!;
    const [key, of] = entries.children;
    const pairs = (value[entries.element.name] ?? []) as Record<string, unknown>[];
    return cellValues.map(
      pairs.map((pair) => [
        this.value(pair[key!.element.name], key!),
        of === undefined ? null : this.value(pair[of.element.name], of),
      ]),
    );
  }

  private leaf(value: unknown, element: SchemaElement): unknown {
    if (value === undefined || value === null) return null;
    const scale = this.scales.get(element);
    if (scale !== undefined) return JsonNumber.of(decimalText(value as number | bigint | Uint8Array, scale));
    if (element.logical_type?.type === 'TIME' || element.converted_type?.startsWith('TIME_'))
      return new OpaqueValue('a time of day', value);
    if (typeof value === 'bigint') return cellValues.integer(value);
    if (value instanceof Uint8Array) {
      // Older writers do not say that bytes are text.
      return element.type === 'BYTE_ARRAY' ? cellValues.text(value) : new OpaqueValue('bytes', value);
    }
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
