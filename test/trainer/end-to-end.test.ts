import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
// The Python package's own trainer, and a plain PyTorch loop with accumulation (scripts/oracles).
const runs = ['end-to-end/llama', 'extra/end-to-end/llama-accumulation'];

interface Expected {
  rows: TrainingRow[];
  batchSize: number;
  topK: number;
  epochs: number;
  learningRate: number;
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  gradientAccumulationSteps: number;
  steps: { loss: number; alpha: number; beta: number; gradNorm: number; learningRate: number }[];
}

describe.each(runs)('AdaptiveTrainer against %s', (run) => {
  const dir = join(fixtures, run);
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected;

  it('follows every step and ends in the same weights', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const steps: StepEvent[] = [];
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: expected.rows,
      args: {
        batchSize: expected.batchSize,
        gradientAccumulationSteps: expected.gradientAccumulationSteps,
        numEpochs: expected.epochs,
        learningRate: expected.learningRate,
        warmupSteps: expected.warmupSteps,
        weightDecay: expected.weightDecay,
        maxGradNorm: expected.maxGradNorm,
        lrSchedulerType: 'cosine',
        optimizer: 'adamw',
        fp16: false,
        shuffle: false,
        evalStrategy: 'no',
        saveStrategy: 'no',
      },
      adaptiveLoss: { topK: expected.topK },
      callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
    });
    await trainer.train();

    expect(steps).toHaveLength(expected.steps.length);
    for (const [i, step] of expected.steps.entries()) {
      expect(Math.abs(steps[i]!.loss / step.loss - 1)).toBeLessThan(1e-3);
      expect(Math.abs(steps[i]!.gradNorm / step.gradNorm - 1)).toBeLessThan(1e-3);
      expect(Math.abs(steps[i]!.alpha - step.alpha)).toBeLessThan(1e-5);
      expect(Math.abs(steps[i]!.beta - step.beta)).toBeLessThan(1e-5);
      expect(Math.abs(steps[i]!.learningRate - step.learningRate)).toBeLessThan(1e-12);
    }
    const out = tempDir();
    await trainer.saveModel(out);
    const actual = readSafetensors(join(out, 'model.safetensors'));
    const final = readSafetensors(join(dir, 'final.safetensors'));
    expect(Object.keys(actual).sort()).toEqual(Object.keys(final).sort());
    for (const [name, tensor] of Object.entries(final)) {
      expect(largestDifference(numbers(actual[name]!), numbers(tensor)), name).toBeLessThan(1e-3);
    }
    model.dispose();
  });
});
