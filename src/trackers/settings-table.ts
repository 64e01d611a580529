import { isPlainObject } from '../common/is-plain-object.js';
import { snakeCase } from '../common/snake-case.js';

export type Setting = number | string | boolean;

/**
 * Returns the settings of a run as one flat table, in the names of the Python package: `learning_rate`,
 * `adaptive_loss_config/top_k`. Settings without a value are left out; lists become JSON.
 */
export function settingsTable(
  config: Readonly<Record<string, unknown>>,
  prefix = '',
): Record<string, Setting> {
  const table: Record<string, Setting> = {};
  for (const [key, value] of Object.entries(config)) {
    const name = `${prefix}${snakeCase(key)}`;
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean')
      table[name] = value;
    else if (isPlainObject(value)) Object.assign(table, settingsTable(value, `${name}/`));
    else if (Array.isArray(value)) table[name] = JSON.stringify(value);
  }
  return table;
}
