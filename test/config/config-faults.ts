import { parseConfig } from '../../src/config/read/parse-config.js';
import type { ConfigFault } from '../../src/common/config-fault.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

/** The faults of a configuration; fails where it has none. */
export function configFaults(input: unknown, env: NodeJS.ProcessEnv = {}): ConfigFault[] {
  try {
    parseConfig(input, env);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    return error.details['faults'] as ConfigFault[];
  }
  throw new Error('Expected faults, but the configuration is valid.');
}
