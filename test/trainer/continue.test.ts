import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adaptiveLossConfigSchema } from '../../src/config/schema/adaptive-loss-config.js';
import { peftConfigSchema } from '../../src/config/schema/peft-config.js';
import { trainingConfigSchema } from '../../src/config/schema/training-config.js';
import type { StepEvent, TrainingEvent } from '../../src/events/training-event.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { rowNumber } from '../../src/trainer/batches/row-number.js';
import { effects } from '../../src/trainer/checkpoint/effects.js';
import type { MicroBatchPlace } from '../../src/trainer/step/take-step.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { trainingRows } from '../helpers/training-rows.js';

const dir = writeTinyModel(tempDir());
const rows = trainingRows(22, tinyConfig.vocab_size);
const plain: NonNullable<AdaptiveTrainerOptions['args']> = {
  batchSize: 2,
  gradientAccumulationSteps: 2,
  numEpochs: 1,
  learningRate: 1e-3,
  warmupSteps: 0,
  lrSchedulerType: 'constant',
  optimizer: 'adamw',
  fp16: false,
  evalStrategy: 'no',
  seed: 3,
};

async function train(
  outputDir: string,
  args: AdaptiveTrainerOptions['args'] = {},
  {
    Trainer = AdaptiveTrainer as typeof AdaptiveTrainer,
    ...options
  }: Partial<AdaptiveTrainerOptions> & { Trainer?: typeof AdaptiveTrainer } = {},
) {
  const model = await CausalLM.fromPretrained(dir);
  const events: TrainingEvent[] = [];
  const seen: number[] = [];
  class Watching extends Trainer {
    protected override trainMicroBatch(batch: TrainingRow[], place: MicroBatchPlace) {
      seen.push(...batch.map((row) => rowNumber(row)!));
      return super.trainMicroBatch(batch, place);
    }
  }
  const trainer = new Watching({
    model,
    trainDataset: rows,
    outputDir,
    args: { ...plain, ...args },
    ...options,
    trackers: [{ onEvent: (event) => void events.push(event), close: async () => {} }],
  });
  try {
    await trainer.train();
  } finally {
    model.dispose();
  }
  return {
    seen,
    steps: events.filter((event): event is StepEvent => event.type === 'step'),
    said: events.flatMap((event) =>
      event.type === 'warning' && event.code === 'SETTINGS_CHANGED' ? event.message : [],
    ),
    warnings: events.flatMap((event) => (event.type === 'warning' ? event.code : [])),
    start: events.find((event) => event.type === 'start')!,
    end: events.find((event) => event.type === 'end')!,
    weights: readFileSync(join(outputDir, 'final_model', 'model.safetensors')),
  };
}

const resume = { resumeFromCheckpoint: true } as const;
const losses = (steps: readonly StepEvent[]) => steps.map(({ step, epoch, loss }) => ({ step, epoch, loss }));

describe('the table of what a setting means for a run that is continued', () => {
  const schemas = {
    trainingConfig: trainingConfigSchema,
    adaptiveLossConfig: adaptiveLossConfigSchema,
    peftConfig: peftConfigSchema,
  };
  it.each(Object.keys(schemas) as (keyof typeof schemas)[])('has every key of %s, and no other', (group) => {
    expect(Object.keys(effects[group]).sort()).toEqual(Object.keys(schemas[group].shape).sort());
  });

  it('is what docs/training.md says', () => {
    const text = readFileSync(new URL('../../docs/training.md', import.meta.url), 'utf8');
    const items = text.matchAll(/^- `(past|order|future|seen|alias|none)`:(.*(?:\n {2}.*)*)/gm);
    const documented: Record<string, string> = {};
    for (const [, effect, item] of items)
      for (const [, key] of item!.matchAll(/`(\w+)`/g)) documented[key!] = effect!;
    const all = Object.assign({}, ...Object.values(effects)) as Record<string, string>;
    expect(documented).toEqual(all);
  });
});

describe('a longer run goes on from the end of a shorter one as if it had never ended', () => {
  it.each([
    ['more epochs', { numEpochs: 1 }, { numEpochs: 3 }],
    ['more steps, cut inside an epoch', { maxSteps: 4 }, { maxSteps: 9 }],
    ['a fraction of an epoch', { numEpochs: 0.5 }, { numEpochs: 2 }],
    [
      'epochs that were cut short, saved by epoch',
      { maxSteps: 8, saveStrategy: 'epoch' },
      { maxSteps: 14, saveStrategy: 'epoch' },
    ],
    ['batches by tokens', { maxTokensPerBatch: 40, maxSteps: 3 }, { maxTokensPerBatch: 40, maxSteps: 9 }],
  ] as const)('%s', async (_name, shorter, longer) => {
    const [whole, out] = [tempDir(), tempDir()];
    const expected = await train(whole, longer);
    const first = await train(out, shorter);
    const second = await train(out, { ...longer, ...resume });
    expect(losses([...first.steps, ...second.steps])).toEqual(losses(expected.steps));
    expect(second.weights.equals(expected.weights)).toBe(true);
    expect(second.said).toHaveLength(1);
    expect(second.said[0]).toMatch(/(numEpochs|maxSteps) \(.+ in the checkpoint, .+ now\)/);
  });

  it('a run that was stopped, too', async () => {
    const [whole, out] = [tempDir(), tempDir()];
    const expected = await train(whole, { numEpochs: 2 });
    class Stopping extends AdaptiveTrainer {
      protected override onStepEnd({ step }: StepEvent) {
        if (step === 4) this.stop();
      }
    }
    await train(out, { numEpochs: 2 }, { Trainer: Stopping });
    const second = await train(out, { numEpochs: 2, ...resume });
    expect(losses(second.steps)).toEqual(losses(expected.steps.slice(4)));
    expect(second.weights.equals(expected.weights)).toBe(true);
    expect(second.said).toEqual([]);
  });

  it('one with nothing left says so, and changes nothing', async () => {
    const out = tempDir();
    const first = await train(out);
    const again = await train(out, resume);
    expect(again.steps).toEqual([]);
    expect(again.warnings).toEqual(['NOTHING_LEFT_TO_TRAIN']);
    expect(again.weights.equals(first.weights)).toBe(true);
  });
});

describe('a run goes on with other settings', () => {
  it('another rate, schedule, loss and optimizer settings act from the next step on, and are named', async () => {
    const out = tempDir();
    await train(out, { maxSteps: 3 });
    const changed = {
      maxSteps: 5,
      learningRate: 5e-4,
      lrSchedulerType: 'linear',
      weightDecay: 0.1,
      maxGradNorm: 0.5,
      loss: 'ce',
      saveSteps: 1,
      loggingSteps: 1,
      adamBeta2: 0.99,
    } as const;
    const { steps, said } = await train(out, { ...changed, ...resume } as AdaptiveTrainerOptions['args']);
    expect(steps.map(({ learningRate }) => learningRate)).toEqual([5e-4 * (1 - 3 / 5), 5e-4 * (1 - 4 / 5)]);
    for (const key of Object.keys(changed)) expect(said[0]).toContain(`.${key} (`);
    expect(said[0]).toContain('args.learningRate (0.001 in the checkpoint, 0.0005 now)');
  });

  it.each([
    ['bf16', { precision: 'bf16' }],
    ['bf16-true', { precision: 'bf16-true' }],
    ['fp16', { precision: 'fp16', fp16: true }],
  ] as const)('from float32 to %s and back', async (name, precision) => {
    const out = tempDir();
    await train(out, { maxSteps: 2 });
    // In float16 the first steps are skipped until the loss scale has fallen from its usual beginning.
    const low = await train(out, { maxSteps: 16, ...precision, ...resume });
    expect(low.steps.at(-1)!.step).toBe(16);
    if (name === 'fp16') expect(low.steps[0]!.lossScale).toBeGreaterThan(1);
    const back = await train(out, { maxSteps: 18, ...resume });
    expect(back.steps.map(({ step }) => step)).toEqual([17, 18]);
    expect(back.said[0]).toContain('args.precision');
    for (const { loss, lossScale } of [...low.steps, ...back.steps])
      expect(Number.isFinite(loss * (lossScale ?? 1))).toBe(true);
    expect(back.steps[0]!.lossScale).toBeUndefined();
  });

  it.each([
    ['larger batches', { batchSize: 4 }, 2],
    ['more accumulation', { gradientAccumulationSteps: 3 }, 3],
    ['smaller batches, unshuffled', { batchSize: 1, shuffle: false }, 1],
    ['batches by tokens', { maxTokensPerBatch: 30 }, 2],
  ] as const)('%s: at the very row where it stopped', async (_name, changed, moment) => {
    const out = tempDir();
    const { shuffle = true } = changed as { shuffle?: boolean };
    const first = await train(out, { maxSteps: moment, shuffle });
    const second = await train(out, { numEpochs: 2, ...changed, ...resume });
    const rest = rows.length - first.seen.length;
    const inOrder = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
    const all = rows.map((_, i) => i);
    expect(inOrder([...first.seen, ...second.seen.slice(0, rest)])).toEqual(all);
    expect(inOrder(second.seen.slice(rest))).toEqual(all);
    expect(second.start.steps).toBe(moment + second.steps.length);
    expect(second.start.epochs).toBeCloseTo(2, 1);
    // Once more, from the middle of what had been changed: the uninterrupted one, to the bit.
    if (!('maxTokensPerBatch' in changed)) {
      const other = tempDir();
      await train(other, { maxSteps: moment, shuffle });
      await train(other, { maxSteps: moment + 2, ...changed, ...resume });
      const third = await train(other, { numEpochs: 2, ...changed, ...resume });
      expect(third.weights.equals(second.weights)).toBe(true);
      expect(losses(third.steps)).toEqual(losses(second.steps.slice(2)));
    }
  });

  it('batches change freely between two epochs, also of an order that only a subclass knows', async () => {
    class Backwards extends AdaptiveTrainer {
      protected override *trainBatches() {
        for (let end = rows.length; end > 0; end -= 2) yield rows.slice(Math.max(0, end - 2), end);
      }
    }
    const out = tempDir();
    await train(out, { saveStrategy: 'epoch', numEpochs: 2 }, { Trainer: Backwards });
    const changed = { saveStrategy: 'epoch', gradientAccumulationSteps: 4 } as const;
    const { steps } = await train(
      tempDir(),
      { ...changed, numEpochs: 2, resumeFromCheckpoint: join(out, 'checkpoint-6') },
      { Trainer: Backwards },
    );
    expect(steps).toHaveLength(3);
    const cut = tempDir();
    await train(cut, { maxSteps: 2 }, { Trainer: Backwards });
    const error = await errorOf(
      () => train(cut, { ...changed, maxSteps: 4, ...resume }, { Trainer: Backwards }),
      'CHECKPOINT_MISMATCH',
    );
    expect(error.message).toMatch(
      /gradientAccumulationSteps \(2 in the checkpoint, 4 now\).*Between two epochs/,
    );
  });

  it.each([
    ['seed', { seed: 4 }, 'args.seed (3 in the checkpoint, 4 now)'],
    ['shuffle', { shuffle: false }, 'args.shuffle (true in the checkpoint, false now)'],
    ['optimizer', { optimizer: 'lion' }, 'args.optimizer (adamw in the checkpoint, lion now)'],
  ] as const)('not with another %s', async (_name, changed, text) => {
    const out = tempDir();
    await train(out, { maxSteps: 2 });
    const before = readFileSync(join(out, 'final_model', 'model.safetensors'));
    const attempt = () => train(out, { maxSteps: 3, ...changed, ...resume });
    const error = await errorOf(attempt, 'CHECKPOINT_MISMATCH');
    expect(error.message).toContain(text);
    // What may differ is not complained of.
    expect(error.message).not.toContain('maxSteps');
    expect(readFileSync(join(out, 'final_model', 'model.safetensors')).equals(before)).toBe(true);
  });

  it('not with other rows, nor with momentum that was not kept', async () => {
    const out = tempDir();
    await train(out, { maxSteps: 2, optimizer: 'sgd' });
    const fewer = { trainDataset: rows.slice(1) };
    const error = await errorOf(
      () => train(out, { optimizer: 'sgd', ...resume }, fewer),
      'CHECKPOINT_MISMATCH',
    );
    expect(error.message).toMatch(
      /trainDataset\.rows \(22 in the checkpoint, 21 now\), trainDataset\.content \(#\w+/,
    );
    const momentum = { optimizer: 'sgd', momentum: 0.9, maxSteps: 3, ...resume } as const;
    await errorOf(() => train(out, momentum), 'CHECKPOINT_MISMATCH');
  });
});
