import { AdaptiveTrainerError } from '../../errors.js';
import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { snakeCase } from '../../common/snake-case.js';
import { configPath } from './config-path.js';
import { camelCase } from '../../common/camel-case.js';

/** One value to be set: `training_config.batch_size=2`. */
export interface Setting {
  /** As it was written. */
  text: string;
  keys: readonly string[];
  value: unknown;
}

/**
 * Reads `path=value`. The path is written as errors write it: `training_config.batch_size`, `datasets_config.ideas[0]`,
 * `datasets_kwargs["a.b"].seed`. The value is JSON, or else a string as it stands.
 * @returns undefined for what is no such text
 */
export function readSetting(text: string): Setting | undefined {
  const keys: string[] = [];
  let rest = text;
  while (!rest.startsWith('=')) {
    const quoted = /^\[?("(?:[^"\\]|\\.)*")\]?/.exec(rest);
    const plain = /^\[(\d+)\]|^([^.[\]="]+)/.exec(rest);
    const found = quoted ?? plain;
    if (found === null) return undefined;
    keys.push(quoted === null ? (plain![1] ?? plain![2]!) : stringOf(quoted[1]!));
    rest = rest.slice(found[0].length).replace(/^\.(?=[^=])/, '');
  }
  if (keys.length === 0) return undefined;
  return { text, keys, value: valueOf(rest.slice(1)) };
}

/**
 * A configuration with values set, one after the other. Keys are found in either spelling, objects that are not there are
 * made, and an index one past the end of a list adds to it. Whether a key exists is for `parseConfig` to say.
 * @throws AdaptiveTrainerError CONFIG_INVALID where a path leads through something that is no object or list
 */
export function applySettings(config: unknown, settings: readonly Setting[]): unknown {
  return settings.reduce((changed, setting) => set(changed, setting.keys, setting, ''), config);
}

function set(inside: unknown, keys: readonly string[], setting: Setting, path: string): unknown {
  if (keys.length === 0) return setting.value;
  if (Array.isArray(inside)) {
    const index = Number(keys[0]);
    if (!Number.isInteger(index) || index < 0 || index > inside.length)
      throw refused(setting, path, `an index of its ${inside.length} items`, keys[0]);
    const items = [...(inside as unknown[])];
    items[index] = set(items[index], keys.slice(1), setting, configPath(path, index));
    return items;
  }
  const object = inside ?? {};
  if (!isPlainObject(object)) throw refused(setting, path, 'an object or a list', object);
  const [key, used] = keyIn(object, keys);
  const present = Object.hasOwn(object, key) ? object[key] : undefined;
  return { ...object, [key]: set(present, keys.slice(used), setting, configPath(path, key)) };
}

/** The key that is meant, and how many parts of the path it takes: names of datasets have dots. */
function keyIn(object: Record<string, unknown>, keys: readonly string[]): [string, number] {
  for (let used = keys.length; used > 0; used--) {
    const joined = keys.slice(0, used).join('.');
    const known = [joined, snakeCase(joined), camelCase(joined)].find((name) => Object.hasOwn(object, name));
    if (known !== undefined) return [known, used];
  }
  return [keys[0]!, 1];
}

function stringOf(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refused(setting: Setting, path: string, expected: string, received: unknown): AdaptiveTrainerError {
  const message = `expected ${expected}, received ${describeValue(received)}`;
  return new AdaptiveTrainerError(
    'CONFIG_INVALID',
    `Expected a setting that fits the configuration, found ${JSON.stringify(setting.text)}: ${path || 'the configuration'}: ${message}.`,
    { details: { faults: [{ path, code: 'INVALID', message }] } },
  );
}
