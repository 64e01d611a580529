import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TrainingConfigInput } from '../../src/config/schema/config-input.js';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { losses, plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
let retentionCache: string;
const trainDataset = trainingRows(12, tinyConfig.vocab_size, 3);
const evalDataset = trainingRows(3, tinyConfig.vocab_size, 4, 9);
// Six steps.
const args = { ...plainArgs, batchSize: 2, evalStrategy: 'steps', evalSteps: 2, loggingSteps: 1 } as const;

beforeAll(() => {
  dir = writeTinyModel(tempDir());
  retentionCache = tempDir();
});

/** The events of a run, in order. */
async function eventsOf(
  changed: TrainingConfigInput,
  options: Partial<AdaptiveTrainerOptions> = {},
): Promise<TrainingEvent[]> {
  const model = options.model ?? (await CausalLM.fromPretrained(dir));
  const events: TrainingEvent[] = [];
  const trainer = new AdaptiveTrainer({
    ...{ trainDataset, evalDataset, retentionCache, ...options, model },
    args: { ...args, ...changed },
    trackers: [{ onEvent: (event) => void events.push(event), close: () => {} }],
  });
  await trainer.train().finally(() => model.dispose());
  return events;
}

const of = <T extends TrainingEvent['type']>(events: readonly TrainingEvent[], type: T) =>
  events.filter((event): event is Extract<TrainingEvent, { type: T }> => event.type === type);
const forgettings = (events: readonly { forgetting?: number }[]) =>
  events.map(({ forgetting }) => forgetting);
const warningsOf = (events: readonly TrainingEvent[]) =>
  of(events, 'warning').filter(({ code }) => code === 'FORGETTING_NOT_MEASURED');

describe('forgetting', () => {
  it('is measured where a run evaluates, and moves nothing', async () => {
    const events = await eventsOf({});
    const measured = forgettings(of(events, 'evaluate'));
    expect(measured).toHaveLength(3);
    expect(measured[0]).toBeGreaterThan(1e-6);
    expect(measured.at(-1)).toBeGreaterThan(measured[0]!);
    const off = await eventsOf({ evalForgetting: false });
    expect(forgettings(of(off, 'evaluate'))).toEqual([undefined, undefined, undefined]);
    expect(losses(of(events, 'step'))).toEqual(losses(of(off, 'step')));
    const asked = await eventsOf({ evalForgetting: true });
    expect(forgettings(of(asked, 'evaluate'))).toEqual(measured);
  });

  it('stands in each log as it was last measured, also after resuming', async () => {
    const outputDir = join(tempDir(), 'run');
    const saved = { saveStrategy: 'steps', saveSteps: 3 } as const;
    const events = await eventsOf(saved, { outputDir });
    const [first, second] = forgettings(of(events, 'evaluate'));
    const logged = forgettings(of(events, 'log'));
    expect(logged).toEqual([undefined, undefined, first, first, second, second]);
    const resumeFromCheckpoint = join(outputDir, 'checkpoint-3');
    const resumed = await eventsOf({ ...saved, resumeFromCheckpoint }, { outputDir: join(tempDir(), 'on') });
    expect(forgettings(of(resumed, 'log'))).toEqual(logged.slice(3));
  });

  it.each([
    ['nothing is evaluated', { evalStrategy: 'no' }, {}],
    ['no evaluation falls into the run', { evalSteps: 7 }, {}],
    ['there are no evaluation rows', {}, { evalDataset: undefined }],
    ['the weights are said to be new', { fromScratch: true, evalSteps: 6 }, {}],
    ['it is turned off', { evalForgetting: false, evalSteps: 6 }, {}],
  ] as [string, TrainingConfigInput, object][])('costs nothing where %s', async (_name, changed, options) => {
    const events = await eventsOf(changed, { retentionCache: tempDir(), ...options });
    expect(of(events, 'texts')).toEqual([]);
    expect(forgettings(of(events, 'evaluate')).filter((value) => value !== undefined)).toEqual([]);
    expect(warningsOf(events)).toEqual([]);
  });

  it('is not measured of new weights, unless that is asked for', async () => {
    const plain = await eventsOf({ evalSteps: 6 }, { model: await CausalLM.fromConfig(dir) });
    expect(of(plain, 'evaluate')[0]).not.toHaveProperty('forgetting');
    const asked = { evalSteps: 6, evalForgetting: true };
    const events = await eventsOf(asked, { model: await CausalLM.fromConfig(dir) });
    expect(of(events, 'evaluate')[0]!.forgetting).toBeGreaterThan(0);
  });

  it('that cannot be measured is warned of, and is an error where it was asked for', async () => {
    const file = join(tempDir(), 'no-folder');
    writeFileSync(file, '');
    const events = await eventsOf({}, { retentionCache: file });
    expect(warningsOf(events)).toHaveLength(1);
    expect(warningsOf(events)[0]!.message).toContain('evalForgetting: false');
    expect(of(events, 'evaluate')).toHaveLength(3);
    expect(of(events, 'end')).toHaveLength(1);
    await expect(eventsOf({ evalForgetting: true }, { retentionCache: file })).rejects.toThrow();

    const model = await CausalLM.fromPretrained(dir);
    model.config = { ...model.config, bos_token_id: null };
    model.eosTokenIds = [];
    const silent = await eventsOf({}, { model });
    expect(warningsOf(silent)[0]!.message).toContain('a token that texts begin with');
    expect(of(silent, 'evaluate')).toHaveLength(3);
  });
});
