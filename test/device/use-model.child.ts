// Uses a model on a device without training it, and prints what comes out.
import type { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';

const [dir, device] = process.argv.slice(2) as [string, string];
const prompts = [[3, 4, 5], [9, 8, 7, 6, 5, 4, 3], [11]];
const plain = { maxNewTokens: 12, stopTokenIds: [] };

async function use() {
  const model = await CausalLM.fromPretrained(dir, { device });
  const tokens = [
    await model.generate(prompts[1]!, plain).collect(),
    await model.generateBatch(prompts, plain).collect(),
    await model
      .generateBatch(prompts, { ...plain, temperature: 0.9, topK: 40, topP: 0.95, seed: 5 })
      .collect(),
    await model.generateBatch(prompts, { ...plain, repetitionPenalty: 1.3 }).collect(),
  ];
  const { data } = await model.logits(prompts);
  const { loss, gradients } = await model.lossAndGradients(prompts.slice(0, 2));
  model.dispose();
  return {
    tokens,
    numbers: [loss, ...data, ...Object.values(gradients).flatMap(({ data: values }) => [...values])],
  };
}

try {
  console.log(JSON.stringify(await use()));
} catch (error) {
  const { code, message } = error as AdaptiveTrainerError;
  console.log(JSON.stringify({ code, message }));
}
