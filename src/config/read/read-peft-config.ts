import { configPath } from './config-path.js';
import { ConfigReader } from './config-reader.js';
import type { PeftConfig } from '../schema/parsed-config.js';
import { asParsedWhole, isParsed } from './parsed.js';
import { peftConfigSchema } from '../schema/peft-config.js';
import { readGroupKeys } from './read-group-keys.js';
import { refuseNotAvailable } from './refuse-not-available.js';
import { throwFaults } from './throw-faults.js';
import { writesSnakeCase } from './writes-snake-case.js';

/** Reads an adapter's configuration. Undefined where there was a fault. */
export function readPeftConfig(reader: ConfigReader, value: unknown, path: string): PeftConfig | undefined {
  const given = readGroupKeys(reader, 'peftConfig', value, path);
  refuseNotAvailable(reader, 'peftConfig', given);
  for (const [short, long] of [
    ['alpha', 'loraAlpha'],
    ['dropout', 'loraDropout'],
  ] as const) {
    const [one, other] = [given.get(short), given.get(long)];
    if (one === undefined || other === undefined || one.value === other.value) continue;
    const message = `expected the value in ${other.path} or none, received another one; remove one of the two`;
    reader.faults.push({ path: one.path, code: 'CONTRADICTION', message });
  }
  if (given.get('layersToTransform')?.value != null && !Array.isArray(given.get('targetModules')?.value)) {
    const at = given.get('targetModules')?.path ?? configPath(path, reader.spell('targetModules'));
    const message = `expected a list of module names, since ${given.get('layersToTransform')!.path} is given`;
    reader.faults.push({ path: at, code: 'CONTRADICTION', message });
  }
  const read = reader.read(peftConfigSchema, given, path);
  if (read === undefined) return undefined;
  const { alpha, dropout, ...config } = read;
  return { ...config, loraAlpha: alpha ?? config.loraAlpha, loraDropout: dropout ?? config.loraDropout };
}

/**
 * The same for a configuration on its own, in either spelling.
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults
 */
export function parsePeftConfig(input: unknown, path = 'peftConfig'): PeftConfig {
  if (isParsed(input)) return input as PeftConfig;
  const reader = new ConfigReader(writesSnakeCase(input));
  const config = readPeftConfig(reader, input, path);
  throwFaults(reader.faults);
  return asParsedWhole(config!);
}
