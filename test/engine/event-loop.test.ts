import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { trainingRows } from '../helpers/training-rows.js';

/** Gaps between the ticks of a 10 ms timer while `work` runs. */
async function gapsDuring(work: () => Promise<unknown>): Promise<number[]> {
  const ticks = [performance.now()];
  const timer = setInterval(() => ticks.push(performance.now()), 10);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  ticks.push(performance.now());
  return ticks.slice(1).map((tick, i) => tick - ticks[i]!);
}

describe('the event loop while the engine works', () => {
  it('keeps a 10 ms timer ticking during training', async () => {
    const config = {
      vocab_size: 4096,
      hidden_size: 256,
      intermediate_size: 512,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 2,
    };
    const model = await CausalLM.fromPretrained(writeTinyModel(join(tempDir(), 'model'), config));
    const steps: StepEvent[] = [];
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(128, config.vocab_size, 1, 120),
      args: {
        batchSize: 32,
        gradientAccumulationSteps: 1,
        maxSteps: 4,
        fp16: false,
        shuffle: false,
        saveStrategy: 'no',
        evalStrategy: 'no',
        optimizer: 'adamw',
      },
      callbacks: [{ onStepEnd: (event) => void steps.push(event) }],
    });
    const gaps = await gapsDuring(() => trainer.train());
    const shortestStep = 1000 * Math.min(...steps.map((step) => step.secondsPerStep));
    // Otherwise there is nothing to tell a blocked loop by.
    expect(shortestStep).toBeGreaterThan(100);
    expect(Math.max(...gaps)).toBeLessThan(shortestStep / 2);
    // Nine ticks of ten in time, on a machine whose cores are all computing.
    gaps.sort((a, b) => a - b);
    expect(gaps[Math.floor(0.9 * gaps.length)]).toBeLessThan(50);
    const elapsed = gaps.reduce((sum, gap) => sum + gap, 0);
    expect(gaps.length).toBeGreaterThan(elapsed / 10 / 3);
    model.dispose();
  });

  it('lets calls of two models queue up without one waiting for the event loop', async () => {
    const dir = tempDir();
    const [a, b] = await Promise.all([
      CausalLM.fromPretrained(writeTinyModel(join(dir, 'a'), {}, 1)),
      CausalLM.fromPretrained(writeTinyModel(join(dir, 'b'), { hidden_size: 32 }, 2)),
    ]);
    const alone = [await a.logits([[1, 2, 3]]), await b.logits([[1, 2, 3]])];
    const together = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 ? b : a).logits([[1, 2, 3]])),
    );
    together.forEach(({ data }, i) => expect(data).toEqual(alone[i % 2]!.data));
    a.dispose();
    b.dispose();
  });
});
