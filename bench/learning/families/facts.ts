import { perToken, scoreChats } from '../../../examples/quickstart/measure.js';
import { wordNetTasks } from '../../../examples/quickstart/wordnet.js';
import { as, type Family, type FamilySize } from '../family.js';
import { heldOut, seedModel } from '../heldout.js';

const longest = 60; // characters

/** Facts by heart: what words mean, asked again in the words of the training rows. */
export async function facts({ scale, seed }: FamilySize): Promise<Family> {
  const count = Math.max(20, Math.round(300 * scale));
  const tasks = await wordNetTasks({
    ...{ categories: 0, heldOutCategories: 0, definitions: 4 * count, heldOutDefinitions: 1 },
    ...{ showcase: ['snowstorm'], seed },
  });
  const train = tasks.definitions.train
    .filter(({ assistant }) => assistant.length <= longest)
    .slice(0, count);
  return {
    name: 'facts',
    target: 'training rows known by heart, exact',
    second: 'training rows, nats per token',
    ...{ model: seedModel, heldOut: await heldOut() },
    train: as('attention', train),
    epochs: 6,
    batchSize: 16,
    settings: [
      ...['ce lr=5e-4', 'ce lr=1e-3', 'k1 lr=5e-4', 'k1 lr=1e-3'],
      ...['ce lr=1e-3 keep=0.2', 'ce lr=1e-3 keep=1', 'k1 lr=1e-3 keep=1', 'k8 lr=1e-3 keep=1'],
    ],
    async score(model, tokenizer) {
      const scores = await scoreChats(model, tokenizer, train);
      return { target: scores.filter(({ exact }) => exact).length / scores.length, second: perToken(scores) };
    },
  };
}
