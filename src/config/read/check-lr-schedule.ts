import { shownJson } from '../../common/shown-json.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import { configPath } from './config-path.js';
import { lrSchedulerKwargsSchema } from '../schema/lr-scheduler-kwargs.js';

const keysOf: Record<string, readonly string[]> = {
  cosine: ['numCycles'],
  cosine_with_restarts: ['numCycles'],
  cosine_with_min_lr: ['numCycles', 'minLr', 'minLrRate'],
  polynomial: ['power', 'lrEnd'],
  inverse_sqrt: ['timescale'],
  reduce_lr_on_plateau: [
    ...['mode', 'factor', 'patience', 'threshold', 'thresholdMode', 'cooldown', 'minLr', 'eps'],
  ],
  wsd: ['numDecaySteps', 'numStableSteps', 'warmupType', 'decayType', 'minLrRatio', 'numCycles'],
};
keysOf['warmup_stable_decay'] = keysOf['wsd']!;

/**
 * Reads `lrSchedulerKwargs`, whose keys come in either spelling, and checks that each setting belongs to the schedule.
 * What it read takes the place of what was given.
 */
export function checkLrSchedule(reader: ConfigReader, given: GivenKeys, path: string): void {
  const schedule = given.get('lrSchedulerType')?.value ?? 'cosine';
  const kwargs = readKwargs(reader, given, path);
  const least = given.get('minLrRate');
  const leasts = [...(least !== undefined && least.value !== null ? [least] : [])];
  for (const [name, entry] of kwargs) {
    const isLeast = name === 'minLr' || name === 'minLrRate';
    if (isLeast && !(name === 'minLr' && schedule === 'reduce_lr_on_plateau')) leasts.push(entry);
    else if (!isKeyOf(schedule, name))
      contradict(reader, entry.path, `expected no such key with ${schedule}`);
  }
  if (schedule !== 'cosine_with_min_lr') {
    const message = `expected only with the schedule "cosine_with_min_lr", received with ${shownJson(schedule)}`;
    for (const entry of leasts) contradict(reader, entry.path, message);
  } else if (leasts.length === 0) {
    const message = 'expected a number from 0 to 1 with the schedule "cosine_with_min_lr", received nothing';
    const at = least?.path ?? configPath(path, reader.spell('minLrRate'));
    reader.faults.push({ path: at, code: 'MISSING', message });
  } else if (leasts.length > 1) {
    contradict(reader, leasts[1]!.path, `expected one lowest rate, received ${leasts[0]!.path} too`);
  }
}

function readKwargs(reader: ConfigReader, given: GivenKeys, path: string): GivenKeys {
  const found = given.get('lrSchedulerKwargs');
  if (found === undefined) return new Map();
  const known = Object.keys(lrSchedulerKwargsSchema.shape);
  const kwargs = reader.keys(found.value, found.path ?? configPath(path, 'lrSchedulerKwargs'), known);
  const faults = reader.faults.length;
  const value = reader.read(lrSchedulerKwargsSchema, kwargs, found.path) ?? {};
  given.set('lrSchedulerKwargs', { ...found, value });
  return reader.faults.length === faults ? kwargs : new Map();
}

function isKeyOf(schedule: unknown, key: string): boolean {
  const keys = typeof schedule === 'string' ? keysOf[schedule] : undefined;
  return keys !== undefined && keys.includes(key);
}

function contradict(reader: ConfigReader, path: string, message: string): void {
  reader.faults.push({ path, code: 'CONTRADICTION', message });
}
