import { shownJson } from '../../common/shown-json.js';
import { adaptiveLossConfigSchema } from '../schema/adaptive-loss-config.js';
import { configPath } from './config-path.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import type { AdaptiveLossConfig } from '../schema/parsed-config.js';
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
  checkCurriculum(reader, given, path);
  if (given.get('loss')?.value === 'eaft' && given.get('topK')?.value === 1) {
    reader.unexpected(given.get('topK')!.path, 'a whole number, 2 or more, with the loss "eaft"', 1);
  }
  return reader.read(adaptiveLossConfigSchema, given, path);
}

/** The three settings of the curriculum make sense together, and with the adaptive loss alone. */
function checkCurriculum(reader: ConfigReader, given: GivenKeys, path: string): void {
  const has = (name: string) => (given.get(name)?.value ?? null) !== null;
  const needs = (name: string, other: string) => {
    if (!has(name) || has(other)) return;
    const at = given.get(other)?.path ?? configPath(path, reader.spell(other));
    const message = `expected a value, since ${given.get(name)!.path} is given, received nothing`;
    reader.faults.push({ path: at, code: 'MISSING', message });
  };
  needs('finalConfidence', 'initialConfidence');
  needs('finalConfidence', 'curriculumEpochs');
  needs('curriculumEpochs', 'finalConfidence');
  const loss = given.get('loss')?.value ?? 'adaptive';
  if (loss === 'adaptive') return;
  for (const name of ['initialConfidence', 'finalConfidence', 'curriculumEpochs']) {
    if (!has(name)) continue;
    const message = `expected only with the loss "adaptive", received with ${shownJson(loss)}`;
    reader.faults.push({ path: given.get(name)!.path, code: 'CONTRADICTION', message });
  }
}
