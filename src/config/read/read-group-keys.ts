import { configGroups } from '../schema/config-groups.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import { groupWithKey } from './group-with-key.js';

/** The keys of one group of a configuration. An unknown key that another group has is told where it belongs. */
export function readGroupKeys(
  reader: ConfigReader,
  group: keyof typeof configGroups,
  value: unknown,
  path: string,
): GivenKeys {
  return reader.keys(value, path, configGroups[group], undefined, groupWithKey);
}
