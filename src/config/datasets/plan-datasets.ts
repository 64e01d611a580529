import { throwFaults } from '../read/throw-faults.js';
import type { DatasetPlan } from './dataset-plan.js';
import { readPlans, type DatasetTables } from './read-plans.js';

/**
 * Reads `datasetsConfig` and the tables beside it into one plan per dataset.
 *
 * @throws AdaptiveTrainerError `CONFIG_INVALID` with all faults in `details.faults`
 */
export function planDatasets(
  config: unknown,
  tables: DatasetTables,
  onWarning: (message: string) => void,
): DatasetPlan[] {
  const { plans, faults } = readPlans(config, tables, onWarning);
  throwFaults(faults);
  return plans;
}
