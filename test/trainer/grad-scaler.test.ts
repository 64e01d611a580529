// Dynamic loss scaling beside torch.amp.GradScaler: scripts/oracles/grad_scaler.py.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WarningEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { options, state } from '../helpers/addon-calls.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs } from '../helpers/train-run.js';

interface Run {
  name: string;
  start: { scale: number; good: number };
  /** What the mean loss of each step is multiplied with. */
  factors: number[];
  steps: { skipped: boolean; scale: number; good: number }[];
}

const fixtures = new URL('../fixtures', import.meta.url).pathname;
const expected = JSON.parse(readFileSync(path.join(fixtures, 'extra/grad-scaler.json'), 'utf8')) as {
  model: string;
  row: number[];
  learningRate: number;
  runs: Run[];
};
const { row, learningRate, runs } = expected;
const model = path.join(fixtures, 'models', expected.model);
const labelled = row.length - 1;
const batch = {
  inputIds: Int32Array.from(row),
  labels: Int32Array.from(row),
  cuSeqlens: Int32Array.of(0, row.length),
  styles: Uint8Array.of(0),
  ...({ loss: 'ce', topK: 1, confidence: 0, scale: 1, state } as const),
};

/** The same steps here, and how often a step was skipped. */
async function stepsOf({ start, factors }: Run): Promise<{ steps: Run['steps']; skips: number }> {
  const opened = await CausalLM.fromPretrained(model, { device: 'cpu' });
  const file = path.join(tempDir(), 'optimizer.safetensors');
  let skips = 0;
  const steps: Run['steps'] = [];
  await opened.call(async (native) => {
    const types = { computeType: 'float16', masterType: 'float32', gradientCheckpointing: false } as const;
    await native.configure(types);
    await native.createOptimizer({ ...options, name: 'sgd' });
    // Plain SGD has no tensors: a file of none stands for them.
    await native.saveOptimizer({ path: file, header: '{}' });
    const counts = { steps: 0, lossScale: start.scale, goodSteps: start.good };
    await native.loadOptimizer({ ...counts, files: [{ path: file, tensors: [] }] });
    for (const factor of factors) {
      await native.forward(batch);
      await native.backward({ weights: new Float32Array(labelled).fill(factor / labelled) });
      const report = await native.optimizerStep({ learningRate, maxGradNorm: 0, pull: 0 });
      if (report.skipped) skips++;
      const { lossScale, goodSteps } = await native.optimizerState();
      expect(report.lossScale).toBe(lossScale);
      steps.push({ skipped: report.skipped, scale: lossScale, good: goodSteps });
    }
  });
  opened.dispose();
  return { steps, skips };
}

describe('loss scaling is that of torch.amp.GradScaler', () => {
  it.each(runs)('$name: scales, skipped steps and counts', async (run) => {
    const { steps, skips } = await stepsOf(run);
    expect(steps).toEqual(run.steps);
    expect(skips).toBe(run.steps.filter(({ skipped }) => skipped).length);
  });

  it('a run of the trainer skips the same steps, and tells how many', async () => {
    const { factors, steps } = runs.find(({ name }) => name === 'overflows')!;
    let step = 0;
    class Factors extends AdaptiveTrainer {
      protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array {
        return new Float32Array(nll.length).fill(factors[step++]! / labelled);
      }
    }
    const warnings: WarningEvent[] = [];
    const opened = await CausalLM.fromPretrained(model, { device: 'cpu' });
    const precision = { precision: 'fp16', fp16: true, optimizer: 'sgd', maxGradNorm: 0 } as const;
    const trainer = new Factors({
      model: opened,
      trainDataset: factors.map(() => ({ inputIds: row, labels: row, learningStyle: 'misc' as const })),
      args: { ...plainArgs, ...precision, learningRate, batchSize: 1 },
      callbacks: [{ onWarning: (event) => void warnings.push(event) }],
    });
    const end = await trainer.train();
    opened.dispose();
    const skipped = steps.flatMap((one, i) => (one.skipped ? [i + 1] : []));
    expect(warnings.filter(({ code }) => code === 'LOSS_SCALE_HALVED').map((event) => event.step)).toEqual(
      skipped,
    );
    expect(end).toMatchObject({ skippedSteps: skipped.length });
  });
});
