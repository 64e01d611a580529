import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs, trainRun } from '../helpers/train-run.js';

interface Case {
  name: string;
  model: string;
  /** Changes to its config.json. */
  config: Record<string, unknown>;
  args: NonNullable<AdaptiveTrainerOptions['args']>;
  rows: TrainingRow[];
  frozen: string[];
  steps: { loss: number; gradNorm: number }[];
  /** By weight: how far it moved, and a few of its values at the end. */
  moved: Record<string, { norm: number; largest: number; values: number[] }>;
}

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
const cases = JSON.parse(readFileSync(join(fixtures, 'extra/training-options.json'), 'utf8')) as Case[];

// A plain PyTorch loop over transformers' models in float64 (scripts/oracles/training_options.py).
describe.each(cases)('$name', ({ name, model, config, args, rows, frozen, steps: expected, moved }) => {
  // Here an entry of an embedding's gradient is smaller than its rounding (every gradient is within 8e-7 of its tensor's
  // largest), and AdamW moves it a whole step by its sign: what follows differs by up to 7e-5.
  const most = name === 'smoothing-llama' ? { loss: 3e-4, norm: 2e-3 } : { loss: 2e-5, norm: 2e-4 };
  const dir = tempDir();
  cpSync(join(fixtures, model), dir, { recursive: true });
  const file = join(dir, 'config.json');
  const own = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...own, ...config }));

  it.each([false, true])(
    'follows every loss and norm, and ends in the same weights, with gradientCheckpointing %s',
    async (gradientCheckpointing) => {
      const outputDir = tempDir();
      const steps = await trainRun(dir, {
        trainDataset: rows,
        outputDir,
        args: { ...plainArgs, ...args, gradientCheckpointing },
        adaptiveLoss: { loss: 'ce' },
      });
      expect(steps).toHaveLength(expected.length);
      for (const [i, { loss, gradNorm }] of expected.entries()) {
        expect(Math.abs(steps[i]!.loss / loss - 1), `loss of step ${i}`).toBeLessThan(most.loss);
        expect(Math.abs(steps[i]!.gradNorm / gradNorm - 1), `norm of step ${i}`).toBeLessThan(most.norm);
        expect(steps[i]!.learningRate).toBe(args.learningRate);
      }
      const before = readSafetensors(join(dir, 'model.safetensors'));
      const after = readSafetensors(join(outputDir, 'final_model', 'model.safetensors'));
      for (const name of frozen)
        expect(Buffer.compare(bytes(numbers(after[name]!)), bytes(numbers(before[name]!))), name).toBe(0);
      for (const [name, { norm, largest, values }] of Object.entries(moved)) {
        // A key's bias moves no attention: its gradient is rounding noise, which Adam makes steps of.
        if (name.endsWith('c_attn.bias')) continue;
        const [start, end] = [numbers(before[name]!), numbers(after[name]!)];
        const distance = Math.hypot(...Array.from(end, (value, i) => value - start[i]!));
        expect(Math.abs(distance / norm - 1), `how far ${name} moved`).toBeLessThan(1e-3);
        const stride = Math.max(1, Math.floor(end.length / 7));
        for (const [i, value] of values.entries())
          expect(Math.abs(end[i * stride]! - value), `${name}[${i * stride}]`).toBeLessThan(5e-3 * largest);
      }
    },
  );
});

function bytes(values: ArrayLike<number>): Buffer {
  return Buffer.from(Float64Array.from(values).buffer);
}
