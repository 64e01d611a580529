import type { z } from 'zod';
import { adaptiveLossConfigSchema } from '../../src/config/schema/adaptive-loss-config.js';
import { lrSchedulerKwargsSchema } from '../../src/config/schema/lr-scheduler-kwargs.js';
import { optimArgsSchema } from '../../src/config/schema/optim-args.js';
import { peftConfigSchema } from '../../src/config/schema/peft-config.js';
import { retentionSchema, retentionSourceSchema } from '../../src/config/schema/retention.js';
import { trackerSchema } from '../../src/config/schema/report-to.js';
import { trainingConfigSchema } from '../../src/config/schema/training-config.js';
import { uploadConfigSchema } from '../../src/config/schema/upload-config.js';
import { Source } from './comments.js';
import { schemaType } from './schema-type.js';

/** A key of a configuration. */
export interface Key {
  name: string;
  type: string;
  /** Its whole comment. */
  comment: string;
  /** The default as Markdown; empty for a key that is required. */
  default: string;
  /** The comment without the default. */
  meaning: string;
}

/** A group of keys that a schema describes. */
export interface Group {
  /** Its key in the whole configuration. */
  key: string;
  /** Name of the type of what a user writes. */
  type: string;
  comment: string;
  keys: Key[];
}

const groups = [
  ['lrSchedulerKwargs', 'LrSchedulerKwargs', 'lr-scheduler-kwargs', lrSchedulerKwargsSchema],
  ['optimArgs', 'OptimArgs', 'optim-args', optimArgsSchema],
  ['retention', 'RetentionInput', 'retention', retentionSchema],
  ['trainingConfig', 'TrainingConfigInput', 'training-config', trainingConfigSchema],
  ['adaptiveLossConfig', 'AdaptiveLossConfigInput', 'adaptive-loss-config', adaptiveLossConfigSchema],
  ['peftConfig', 'PeftConfigInput', 'peft-config', peftConfigSchema],
  ['uploadConfig', 'UploadConfigInput', 'upload-config', uploadConfigSchema],
] as const;

/** The groups of a configuration, from their schemas and the comments in these. */
export function configGroups(): Group[] {
  const names = new Map<z.core.$ZodType, string>([
    ...groups.map(([, type, , schema]) => [schema, type] as const),
    [trackerSchema, 'Tracker'],
    [retentionSourceSchema, 'RetentionText | readonly RetentionText[]'],
  ]);
  return groups.map(([key, type, file, schema]) => {
    const source = new Source(`src/config/schema/${file}.ts`);
    const shape = schema.shape as Record<string, z.ZodType>;
    return {
      key,
      type,
      comment: source.comment(`${key}Schema`),
      keys: source.schema(`${key}Schema`).map(({ name, comment }) => {
        const field = shape[name]!;
        const fallback = field.safeParse(undefined);
        if (comment === '') throw new Error(`${key}.${name} has no comment that says what it means`);
        return {
          name,
          comment,
          type: schemaType(field, names),
          ...splitDefault(`${key}.${name}`, comment, fallback.success ? fallback.data : undefined),
        };
      }),
    };
  });
}

/** Takes the default out of a comment. Where the comment states it, it has to be that of the schema. */
export function splitDefault(
  name: string,
  comment: string,
  actual: unknown,
): { default: string; meaning: string } {
  const stated = /(?:^|\s)Default(?<colon>:)? (?<text>(?:[^.]|\.(?=\S))+)\.(?=\s|$)/.exec(comment);
  if (stated === null) {
    if (!/\(default\)|default\b/.test(comment)) throw new Error(`The comment of ${name} states no default`);
    return { default: shown(actual), meaning: comment };
  }
  const meaning = comment.replace(stated[0], '').trim();
  const { colon, text } = stated.groups as { colon?: string; text: string };
  if (colon !== undefined) return { default: text, meaning };
  const [value, ...explanation] = text.split(/(?=[:,;] )/);
  if (actual !== undefined && plain(value!) !== plain(shown(actual))) {
    throw new Error(`The comment of ${name} says that its default is ${value}, but it is ${shown(actual)}`);
  }
  const literal = plain(value!) === 'none' ? 'none' : `\`${value!.replaceAll('`', '')}\``;
  return { default: `${literal}${explanation.join('')}`, meaning };
}

function shown(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'none';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function plain(text: string): string {
  const bare = text.replaceAll('`', '').replaceAll('−', '-');
  return Number.isFinite(Number(bare)) ? String(Number(bare)) : bare;
}
