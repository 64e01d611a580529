import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MemoryReport } from '../../src/events/memory-report.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { runRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);
const timeout = 600_000;

interface Found {
  digest: string;
  warnings: string[];
  memory: {
    held: { weights: number; gradients: number; optimizer: number };
    estimate: MemoryReport;
    /** Of the process before it had a model. */
    empty: number;
    peak: number;
  };
  steps: Pick<StepEvent, 'loss' | 'gradNorm' | 'alpha'>[];
}

/** Trains with `size` ranks of 12 rows a step together, and gives what each found. */
async function trained(run: RankRun, size: number, zeroStage: number, more: object = {}): Promise<Found[]> {
  const own = { ...run, args: { ...run.args, ...more, batchSize: 12 / size, zeroStage } };
  const results = await runRanks(program, size, [JSON.stringify(own)]);
  return results.map(({ status, stdout, stderr }) => {
    expect(stderr).toBe('');
    expect(status, stdout).toBe(0);
    return JSON.parse(stdout) as Found;
  });
}

// Matrices of more than 4,096 values, which optimizers in 8 bits keep in blocks.
const wide = { vocab_size: 131, hidden_size: 64, intermediate_size: 96 };
const dir = writeTinyModel(tempDir(), wide);
const tied = writeTinyModel(tempDir(), { ...wide, tie_word_embeddings: true });
const uneven = ['ideas', 'ideas', 'ideas', 'attention', 'misc', 'ideas', 'both'] as const;
const args = { numEpochs: 2, learningRate: 1e-3, shuffle: true, maxGradNorm: 0.5, weightDecay: 0.01 };
const run = { dir, args, rows: 40, styles: uneven } satisfies RankRun;
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 40, pullToBase: 2 };
const adapter = { r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };

const digestsOf = (found: readonly Found[]) => [...new Set(found.map(({ digest }) => digest))];

function close(found: readonly Found[], expected: Found) {
  for (const { steps } of found) {
    expect(steps.length).toBe(expected.steps.length);
    steps.forEach((step, i) => {
      for (const key of ['loss', 'gradNorm', 'alpha'] as const) {
        const one = expected.steps[i]![key]!;
        expect(Math.abs(step[key]! - one) / Math.max(1, Math.abs(one)), `${key} ${i}`).toBeLessThan(1e-5);
      }
    });
  }
  expect(digestsOf(found)).toHaveLength(1);
}

describe('a run that is shared out is the one that is not', () => {
  test.each([2, 3, 4])(
    'adamw, %i ranks: to the last bit; one process: to 1e-5',
    { timeout },
    async (size) => {
      const [one] = await trained(run, 1, 0);
      const whole = await trained(run, size, 0);
      close(whole, one!);
      for (const stage of [1, 2])
        expect(digestsOf(await trained(run, size, stage))).toEqual(digestsOf(whole));
    },
  );

  test.each([
    ['adamw_8bit', { args: { ...args, optimizer: 'adamw_8bit' } }],
    ['sgd with momentum', { args: { ...args, optimizer: 'sgd', momentum: 0.9 } }],
    ['lion', { args: { ...args, optimizer: 'lion' } }],
    ['rmsprop', { args: { ...args, optimizer: 'rmsprop', momentum: 0.9 } }],
    ['adagrad', { args: { ...args, optimizer: 'adagrad' } }],
    ['ademamix_8bit', { args: { ...args, optimizer: 'ademamix_8bit' } }],
    ['adafactor', { args: { ...args, optimizer: 'adafactor' } }],
    [
      'adafactor with masters beside bfloat16',
      { args: { ...args, optimizer: 'adafactor', precision: 'bf16' } },
    ],
    ['masters beside bfloat16', { args: { ...args, precision: 'bf16' } }],
    ['masters beside bfloat16, head and embedding tied', { dir: tied, args: { ...args, precision: 'bf16' } }],
    ['masters beside float16, whose loss is scaled', { args: { ...args, fp16: true } }],
    ['masters in bfloat16, rounded stochastically', { args: { ...args, precision: 'bf16-true' } }],
    ['an adapter', { adapter }],
    [
      'an adapter on a tied head',
      { dir: tied, adapter: { ...adapter, targetModules: ['embed_tokens', 'lm_head', 'q_proj'] } },
    ],
    ['frozen layers', { args: { ...args, freeze: ['model.embed_tokens', 'model.layers.0'] } }],
    ['rates by layer', { args: { ...args, layerwiseLrDecay: 0.5 } }],
    ['recomputed activations', { args: { ...args, gradientCheckpointing: true } }],
    ['a pull to the base', { texts: 9, args: { ...args, retention } }],
  ])('%s, 2 ranks: to the last bit', { timeout }, async (_, changes) => {
    const changed = { ...run, ...changes } as RankRun;
    const whole = digestsOf(await trained(changed, 2, 0));
    expect(whole).toHaveLength(1);
    expect(digestsOf(await trained(changed, 2, 2))).toEqual(whole);
  });

  test(
    'windows of several micro-batches: stage 1 to the last bit, stage 2 to 1e-5',
    { timeout },
    async () => {
      const windows = { ...run, args: { ...args, gradientAccumulationSteps: 3, numEpochs: 6 } };
      const [one] = await trained(windows, 1, 0);
      const whole = await trained(windows, 3, 0);
      expect(digestsOf(await trained(windows, 3, 1))).toEqual(digestsOf(whole));
      close(await trained(windows, 3, 2), one!);
    },
  );

  test('one process says that there is nothing to share out', { timeout }, async () => {
    const [plain] = await trained(run, 1, 0);
    const [shared] = await trained(run, 1, 2);
    expect(shared!.digest).toBe(plain!.digest);
    expect(shared!.warnings).toContain('ZERO_WITHOUT_RANKS');
    expect(plain!.warnings).not.toContain('ZERO_WITHOUT_RANKS');
  });
});

describe('checkpoints', () => {
  const saving = { numEpochs: 20, saveStrategy: 'steps', saveSteps: 3 };

  test.each([
    ['adamw_8bit', {}],
    ['adamw with masters beside bfloat16', { precision: 'bf16' }],
  ])('%s: 4 ranks save, 2, 1 and 3 go on, whatever is shared out', { timeout }, async (name, more) => {
    const optimizer = name.split(' ')[0]!;
    const chain = async (stages: readonly number[]) => {
      const outputDir = join(tempDir(), 'run');
      let last: Found[] = [];
      for (const [i, size] of [4, 2, 1, 3].entries()) {
        const part = { ...run, outputDir, resume: i > 0 };
        const maxSteps = 3 * (i + 1);
        last = await trained(part, size, stages[i]!, { ...saving, ...more, optimizer, maxSteps });
        expect(digestsOf(last)).toHaveLength(1);
      }
      const files = [3, 6, 9, 12].flatMap((step) =>
        ['model.safetensors', 'optimizer.safetensors'].map((file) =>
          readFileSync(join(outputDir, `checkpoint-${step}`, file)),
        ),
      );
      files.push(readFileSync(join(outputDir, 'final_model', 'model.safetensors')));
      expect(existsSync(join(outputDir, 'gathered.tmp'))).toBe(false);
      return { files, digest: last[0]!.digest };
    };
    const whole = await chain([0, 0, 0, 0]);
    const shared = await chain([2, 1, 2, 1]);
    expect(shared.digest).toBe(whole.digest);
    shared.files.forEach((file, i) => expect(file.equals(whole.files[i]!), String(i)).toBe(true));
  });

  test('a checkpoint that rank 0 is asked for is whole', { timeout }, async () => {
    const outputDirs = [tempDir(), tempDir()].map((folder) => join(folder, 'run'));
    for (const [i, stage] of [0, 2].entries()) {
      const asking = { ...run, outputDir: outputDirs[i]!, asksToSave: true };
      await trained(asking, 2, stage, { precision: 'bf16', saveStrategy: 'no' });
    }
    const read = (outputDir: string, file: string) => readFileSync(join(outputDir, 'checkpoint-1', file));
    for (const file of ['model.safetensors', 'optimizer.safetensors'])
      expect(read(outputDirs[1]!, file).equals(read(outputDirs[0]!, file)), file).toBe(true);
  });
});

function near(found: number, expected: number, what: string) {
  expect(found / expected, what).toBeGreaterThan(0.85);
  expect(found / expected, what).toBeLessThan(1.15);
}

const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

describe('memory of a rank', () => {
  const large = writeTinyModel(tempDir(), {
    ...{ vocab_size: 2048, hidden_size: 512, intermediate_size: 1408 },
    ...{ num_hidden_layers: 10, num_attention_heads: 8, num_key_value_heads: 4 },
  });
  const measured = { ...run, dir: large, rows: 12, measures: true };

  test.each([
    ['fp32', 2, 0],
    ['fp32', 2, 1],
    ['fp32', 2, 2],
    ['bf16', 3, 0],
    ['bf16', 3, 1],
    ['bf16', 3, 2],
  ])('%s, %i ranks, stage %i: as estimated', { timeout }, async (precision, size, stage) => {
    const found = await trained(measured, size, stage, { precision, numEpochs: 3 });
    const whole = found.reduce((sum, { memory }) => sum + memory.held.optimizer, 0) / (stage > 0 ? 1 : size);
    for (const { memory } of found) {
      const { held, estimate, empty, peak } = memory;
      near(held.weights, estimate.weights, 'weights');
      near(held.optimizer, estimate.optimizer, 'optimizer');
      near(held.gradients, estimate.gradients, 'gradients');
      near(peak - empty, estimate.total - empty, 'the peak, beside Node and libtorch');
      if (stage > 0) near(held.optimizer, whole / size, 'an even part');
      if (process.env['ADAPTIVE_TRAINER_SHOW_MEMORY'] && memory === found[0]!.memory)
        console.log(
          `${precision}, ${size} ranks, stage ${stage}: ${mebibytes(peak)} / ${mebibytes(estimate.total)}, empty ${mebibytes(empty)} MiB`,
        );
    }
  });
});
