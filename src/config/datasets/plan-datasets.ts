import { isPlainObject } from '../../common/is-plain-object.js';
import { ConfigReader, type GivenKeys } from '../read/config-reader.js';
import { isParsed } from '../read/parsed.js';
import { throwFaults } from '../read/throw-faults.js';
import type { DatasetPlan } from './dataset-plan.js';
import type { DatasetTables } from './datasets-config.js';
import { datasetTables, readPlans } from './read-plans.js';

/**
 * The plans of datasets given on their own: `datasetsConfig` with the tables beside it is read, `datasets` of a parsed
 * configuration are taken as they are.
 *
 * @throws AdaptiveTrainerError `CONFIG_INVALID` with all faults in `details.faults`
 */
export function planDatasets(
  datasetsConfig: unknown,
  tables: DatasetTables,
  onWarning: (message: string) => void,
): readonly DatasetPlan[] {
  const given: GivenKeys = new Map();
  for (const [path, value] of Object.entries({ datasetsConfig, ...pickTables(tables) })) {
    if (value !== undefined) given.set(path, { value, path });
  }
  const isSnake =
    isPlainObject(datasetsConfig) &&
    Object.keys(datasetsConfig).some((key) => key.startsWith('data_processing'));
  const reader = new ConfigReader(isSnake);
  if (isPlans(datasetsConfig)) {
    for (const { path } of [...given.values()].filter(({ value }) => value !== datasetsConfig)) {
      const message =
        'expected none beside datasets that have been read, of which it is a part, received one';
      reader.faults.push({ path, code: 'CONTRADICTION', message });
    }
    throwFaults(reader.faults);
    return datasetsConfig;
  }
  const plans = readPlans(reader, given);
  throwFaults(reader.faults);
  for (const { message } of reader.warnings) onWarning(message);
  return plans;
}

function pickTables(tables: DatasetTables): Record<string, unknown> {
  return Object.fromEntries(datasetTables.map((name) => [name, tables[name] ?? undefined]));
}

function isPlans(value: unknown): value is readonly DatasetPlan[] {
  return Array.isArray(value) && value.length > 0 && value.every(isParsed);
}
