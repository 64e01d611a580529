import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { trainingRows } from '../helpers/training-rows.js';

/** A trainer that counts the turns of the event loop while each micro-batch is computed. */
class CountingTrainer extends AdaptiveTrainer {
  readonly turns: number[] = [];

  protected override async trainMicroBatch(...args: Parameters<AdaptiveTrainer['trainMicroBatch']>) {
    let [turns, isDone] = [0, false];
    const turn = () => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    try {
      return await super.trainMicroBatch(...args);
    } finally {
      isDone = true;
      this.turns.push(turns);
    }
  }
}

describe('the event loop while the engine works', () => {
  it('turns all the while during training', async () => {
    const config = {
      vocab_size: 4096,
      hidden_size: 256,
      intermediate_size: 512,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 2,
    };
    const model = await CausalLM.fromPretrained(writeTinyModel(join(tempDir(), 'model'), config));
    const trainer = new CountingTrainer({
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
    });
    await trainer.train();
    // A loop that waits for the engine turns once or twice; one that is free turns thousands of times, whatever else a machine
    // does. Milliseconds between two ticks of a timer would be those of the machine.
    expect(trainer.turns).toHaveLength(4);
    for (const turns of trainer.turns) expect(turns).toBeGreaterThan(50);
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
