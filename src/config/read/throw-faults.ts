import { AdaptiveTrainerError } from '../../errors.js';
import type { ConfigFault } from '../../common/config-fault.js';

/**
 * Throws the one error that lists all faults, or returns where there are none.
 * @param details what else programs are told
 * @throws AdaptiveTrainerError CONFIG_INVALID, with `details.faults`
 */
export function throwFaults(
  faults: readonly ConfigFault[],
  details: { notes?: readonly string[] } = {},
): void {
  if (faults.length === 0) return;
  const lines = faults.map(({ path, message }) => `  ${path === '' ? 'configuration' : path}: ${message}`);
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
  throw new AdaptiveTrainerError(
    'CONFIG_INVALID',
    `Expected a valid configuration but found ${count}:\n${lines.join('\n')}`,
    { details: { ...details, faults: [...faults] } },
  );
}
