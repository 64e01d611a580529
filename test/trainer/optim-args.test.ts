import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs, trainRun } from '../helpers/train-run.js';

interface Case {
  name: string;
  args: NonNullable<AdaptiveTrainerOptions['args']>;
  steps: { loss: number; gradNorm: number }[];
  /** By weight: how far it moved, and a few of its values at the end. */
  moved: Record<string, { norm: number; largest: number; values: number[] }>;
}
/** What scripts/oracles/optim_args.py writes. */
interface Runs {
  rows: TrainingRow[];
  cases: Case[];
}

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const model = join(fixtures, 'models/llama');
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Runs;

async function expectSameRun({ args, steps: expected, moved }: Case, rows: TrainingRow[]): Promise<void> {
  const outputDir = tempDir();
  const steps = await trainRun(model, {
    trainDataset: rows,
    outputDir,
    args: { ...plainArgs, ...args },
    adaptiveLoss: { loss: 'ce' },
  });
  expect(steps).toHaveLength(expected.length);
  for (const [i, { loss, gradNorm }] of expected.entries()) {
    expect(Math.abs(steps[i]!.loss / loss - 1), `loss of step ${i}`).toBeLessThan(2e-5);
    expect(Math.abs(steps[i]!.gradNorm / gradNorm - 1), `norm of step ${i}`).toBeLessThan(2e-4);
  }
  const before = readSafetensors(join(model, 'model.safetensors'));
  const after = readSafetensors(join(outputDir, 'final_model', 'model.safetensors'));
  for (const [name, { norm, largest, values }] of Object.entries(moved)) {
    const [start, end] = [numbers(before[name]!), numbers(after[name]!)];
    const distance = Math.hypot(...Array.from(end, (value, i) => value - start[i]!));
    expect(Math.abs(distance / norm - 1), `how far ${name} moved`).toBeLessThan(1e-3);
    const stride = Math.max(1, Math.floor(end.length / 7));
    for (const [i, value] of values.entries())
      expect(Math.abs(end[i * stride]! - value), `${name}[${i * stride}]`).toBeLessThan(5e-3 * largest);
  }
}

describe('optimArgs train as optim_args of the Hugging Face Trainer do', () => {
  const { rows, cases } = read(join(fixtures, 'extra/optim-args.json'));

  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => expectSameRun(one, rows));

  it('of cases that differ in nothing else end in other weights', () => {
    const ends = cases.map(({ moved }) => JSON.stringify(moved));
    expect(new Set(ends).size).toBe(cases.length);
  });
});

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const why = python ? '' : ' (skipped: set ADAPTIVE_TRAINER_PYTHON to a Python that has transformers)';

describe.skipIf(!python)(`optimArgs drawn at random${why}`, () => {
  it('train as there', async () => {
    const between = (least: number, most: number) => (least + Math.random() * (most - least)).toFixed(3);
    const given = {
      nesterov: ['sgd', 0.2, `momentum=${between(0.1, 0.9)},nesterov=1`],
      dampened: ['sgd', 0.2, `momentum=${between(0.1, 0.9)},dampening=${between(0.1, 0.9)}`],
      adagrad: ['adagrad', 0.01, `lr_decay=${between(0, 1)},eps=${between(0.001, 0.01)}`],
      centered: ['rmsprop', 0.001, `alpha=${between(0.5, 0.9)},eps=${between(0.001, 0.01)},centered=yes`],
      ademamix: ['ademamix', 0.002, `beta3=${between(0.9, 0.99)},alpha=${between(1, 8)},eps=1e-5,t_alpha=3`],
    };
    const out = join(tempDir(), 'runs.json');
    const script = fileURLToPath(new URL('../../scripts/oracles/optim_args.py', import.meta.url));
    execFileSync(python!, [script, '--cases', JSON.stringify(given), '--out', out], { stdio: 'pipe' });
    const { rows, cases } = read(out);
    expect(cases).toHaveLength(5);
    for (const one of cases)
      await expectSameRun(one, rows).catch((error: unknown) => {
        throw new Error(`with ${JSON.stringify(one.args)}`, { cause: error });
      });
  }, 300_000);
});
