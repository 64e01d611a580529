import { adaptiveLossConfigSchema } from './adaptive-loss-config.js';
import type { ConfigReader } from './config-reader.js';
import type { AdaptiveLossConfig } from './parsed-config.js';
import { readGroupKeys } from './read-group-keys.js';
import { refuseNotAvailable } from './refuse-not-available.js';

/** Reads a loss configuration. Undefined where there was a fault. */
export function readAdaptiveLossConfig(
  reader: ConfigReader,
  value: unknown,
  path: string,
): AdaptiveLossConfig | undefined {
  const given = readGroupKeys(reader, 'adaptiveLossConfig', value, path);
  refuseNotAvailable(reader, 'adaptiveLossConfig', given);
  return reader.read(adaptiveLossConfigSchema, given, path);
}
