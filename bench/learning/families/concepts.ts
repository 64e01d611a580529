import { perToken, scoreChats } from '../../../examples/quickstart/measure.js';
import { wordNetTasks } from '../../../examples/quickstart/wordnet.js';
import { shuffledIndices } from '../../../src/common/seeded-random.js';
import { as, type Exchange, type Family, type FamilySize } from '../family.js';
import { heldOut, seedModel } from '../heldout.js';

const showcase = ['snowstorm', 'violinist', 'apple tree'];

async function tasksOf({ scale, seed }: FamilySize) {
  const of = (count: number) => Math.max(20, Math.round(count * scale));
  return wordNetTasks({
    ...{
      categories: of(6000),
      definitions: of(1000),
      heldOutCategories: of(2000),
      heldOutDefinitions: of(200),
    },
    ...{ showcase, seed },
  });
}

/** The quickstart's task: the kinds of nouns, tested on other nouns, beside some definitions. */
export async function concepts(size: FamilySize): Promise<Family> {
  const tasks = await tasksOf(size);
  return {
    name: 'concepts',
    target: 'kinds of held-out nouns, exact',
    second: 'held-out definitions, nats per token',
    ...{ model: seedModel, heldOut: await heldOut() },
    train: [...as('ideas', tasks.categories.train), ...as('attention', tasks.definitions.train)],
    epochs: 2,
    batchSize: 32,
    settings: [
      ...['ce lr=3e-4', 'ce lr=6e-4', 'k1 lr=3e-4', 'k8 lr=3e-4'],
      ...['ce lr=1e-3 keep=1 pull=2.5', 'k1 lr=1e-3 keep=1 pull=2.5'],
    ],
    async score(model, tokenizer) {
      const kinds = await scoreChats(model, tokenizer, tasks.categories.heldOut);
      const meanings = await scoreChats(model, tokenizer, tasks.definitions.heldOut);
      return {
        target: kinds.filter(({ exact }) => exact).length / kinds.length,
        second: perToken(meanings),
      };
    },
  };
}

/** The same without definitions, and with a share of the kinds in the training rows replaced by wrong ones. */
export async function noise(size: FamilySize, share: number): Promise<Family> {
  const tasks = await tasksOf(size);
  const kinds = [...new Set(tasks.categories.train.map(({ assistant }) => assistant))].sort();
  const order = shuffledIndices(tasks.categories.train.length, 7);
  const wrong = new Set(order.subarray(0, Math.round(order.length * share)));
  const spoiled = (exchange: Exchange, index: number): Exchange => {
    if (!wrong.has(index)) return exchange;
    const others = kinds.filter((kind) => kind !== exchange.assistant);
    return { ...exchange, assistant: others[(index * 7919) % others.length]! };
  };
  return {
    name: `noise-${Math.round(share * 100)}`,
    target: 'kinds of held-out nouns, exact',
    second: 'held-out kinds, nats per token',
    ...{ model: seedModel, heldOut: await heldOut() },
    train: as('ideas', tasks.categories.train).map(spoiled),
    epochs: 2,
    batchSize: 32,
    settings: [
      ...['ce lr=6e-4', 'k1 lr=6e-4', 'k8 lr=6e-4', 'dft lr=6e-4'],
      ...['ce lr=1e-3 keep=1 pull=2.5', 'k8 lr=1e-3 keep=1 pull=2.5'],
    ],
    async score(model, tokenizer) {
      const scores = await scoreChats(model, tokenizer, tasks.categories.heldOut);
      return { target: scores.filter(({ exact }) => exact).length / scores.length, second: perToken(scores) };
    },
  };
}
