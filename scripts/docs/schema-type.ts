import type { z } from 'zod';

type AnySchema = z.core.$ZodType;
type Def = z.core.$ZodTypes['_zod']['def'];

/**
 * The TypeScript type of what a schema accepts.
 * @param names of schemas that have a type of their own
 */
export function schemaType(schema: AnySchema, names: ReadonlyMap<AnySchema, string>): string {
  const known = names.get(schema);
  if (known !== undefined) return known;
  const { def } = schema._zod as { def: Def };
  const inner = (one: AnySchema) => schemaType(one, names);
  switch (def.type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return def.type;
    case 'literal':
      return def.values.map((value) => literal(value)).join(' | ');
    case 'enum':
      return Object.values(def.entries)
        .map((value) => literal(value))
        .join(' | ');
    case 'default':
    case 'prefault':
    case 'optional':
      return inner(def.innerType);
    case 'nullable':
      return `${inner(def.innerType)} | null`;
    case 'union':
      return def.options.map(inner).join(' | ');
    case 'array':
      return `${grouped(inner(def.element))}[]`;
    case 'tuple':
      return `[${def.items.map(inner).join(', ')}]`;
    case 'record':
      return `Record<${inner(def.keyType)}, ${inner(def.valueType)}>`;
    case 'template_literal':
      return `\`${def.parts.map((part) => (typeof part === 'object' && part !== null ? `\${${inner(part)}}` : String(part))).join('')}\``;
    default:
      throw new Error(`No TypeScript type is known for the schema "${def.type}"`);
  }
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function grouped(type: string): string {
  return type.includes(' ') ? `(${type})` : type;
}
