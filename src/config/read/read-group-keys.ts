import { configGroups } from '../schema/config-groups.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import { groupWithKey } from './group-with-key.js';
import { takeWithoutEffect } from './read-other-trainers.js';

/**
 * The keys of one group of a configuration. An unknown key that another group has is told where it belongs; one of another
 * trainer that changes nothing is taken in the training configuration.
 */
export function readGroupKeys(
  reader: ConfigReader,
  group: keyof typeof configGroups,
  value: unknown,
  path: string,
): GivenKeys {
  const other = (key: string, entry: unknown, at: string) =>
    group === 'trainingConfig' && takeWithoutEffect(reader, key, entry, at);
  return reader.keys(value, path, configGroups[group], other, groupWithKey);
}
