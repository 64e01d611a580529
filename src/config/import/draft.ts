import { configGroups } from '../schema/config-groups.js';
import { camelCase } from '../../common/camel-case.js';
import { redactSecrets } from '../../common/redact-secrets.js';
import { snakeCase } from '../../common/snake-case.js';

/** A configuration of this library in the making, in snake_case, with what is to be said of it. */
export class Draft {
  readonly config: Record<string, unknown> = {};
  /** Comments on keys that are there, by path (`training_config.batch_size`). */
  readonly comments = new Map<string, string>();
  /** What could not be carried over: the setting as it was, and why. */
  readonly notes: string[] = [];
  /** Where the value at a path came from. */
  private readonly sources = new Map<string, { key: string; value: unknown }>();

  /**
   * Sets a key, in the group that has it.
   * @param from the other trainer's setting; undefined: its default
   */
  set(name: string, value: unknown, from?: { key: string; value: unknown }, comment?: string): void {
    const path = pathOf(name);
    let at = this.config;
    for (const group of path.slice(0, -1)) at = (at[group] ??= {}) as Record<string, unknown>;
    at[path.at(-1)!] = value;
    if (from !== undefined) this.sources.set(path.join('.'), from);
    if (comment !== undefined) this.comments.set(path.join('.'), comment);
  }

  has(name: string): boolean {
    const [first, second] = pathOf(name);
    const at = this.config[first!];
    return second === undefined ? at !== undefined : at !== undefined && second in (at as object);
  }

  /** What a key was set to. */
  get(name: string): unknown {
    const [first, second] = pathOf(name);
    const at = this.config[first!];
    return second === undefined ? at : (at as Record<string, unknown> | undefined)?.[second];
  }

  /** Takes a key out again, since its value cannot be used here. */
  drop(path: string, why: string): void {
    const [group, key] = path.split('.') as [string, string?];
    const source = this.sources.get(path);
    if (key === undefined) delete this.config[group];
    else delete (this.config[group] as Record<string, unknown>)[key];
    this.comments.delete(path);
    this.note(source?.key ?? path, source?.value, why);
  }

  note(key: string, value: unknown, why: string): void {
    // A setting of that name may be an access token.
    const isSecret = /(token|key)$/.test(key);
    const text = value === undefined || isSecret ? key : redactSecrets(`${key}: ${JSON.stringify(value)}`);
    this.notes.push(`${text.length > 100 ? `${text.slice(0, 97)}…` : text}: ${why}`);
  }
}

/** Whether it is a key of the whole configuration or of one of its groups. */
export function isOwnKey(name: string): boolean {
  return topLevel.includes(camelCase(name)) || pathOf(name).length > 1;
}

const topLevel = [
  'modelName',
  'outputDir',
  'huggingfaceRepo',
  'datasetsConfig',
  'systemPrompts',
  'peftConfig',
];

function pathOf(name: string): string[] {
  const camel = camelCase(name);
  if (topLevel.includes(camel)) return [snakeCase(camel)];
  const group = Object.entries(configGroups).find(([, keys]) => keys.includes(camel))?.[0];
  return group === undefined ? [snakeCase(camel)] : [snakeCase(group), snakeCase(camel)];
}
