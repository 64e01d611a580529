import { configGroups } from '../schema/config-groups.js';
import { snakeCase } from '../../common/snake-case.js';

/** The group a key belongs in, for one that was found elsewhere; undefined where no group has it. */
export function groupWithKey(key: string): string | undefined {
  const holds = ([, names]: [string, string[]]) =>
    names.some((name) => key === name || key === snakeCase(name));
  return Object.entries(configGroups).find(holds)?.[0];
}
