import { perToken, promptIds, scoreChats } from '../../../examples/quickstart/measure.js';
import { wordNetTasks } from '../../../examples/quickstart/wordnet.js';
import { as, type Family, type FamilySize } from '../family.js';
import { heldOut, seedModel } from '../heldout.js';

const [prefix, suffix] = ['In plain words: ', ', so they say.'];

/** Free-form answers in a manner of speaking, whatever they say. */
export async function style({ scale, seed }: FamilySize): Promise<Family> {
  const of = (count: number) => Math.max(20, Math.round(count * scale));
  const tasks = await wordNetTasks({
    ...{ categories: 0, heldOutCategories: 0, definitions: of(600), heldOutDefinitions: of(200) },
    ...{ showcase: ['snowstorm'], seed },
  });
  const styled = ({ user, assistant }: { user: string; assistant: string }) => ({
    user,
    assistant: `${prefix}${assistant}${suffix}`,
  });
  const asked = tasks.definitions.heldOut.map(styled);
  return {
    name: 'style',
    target: 'answers to other questions that begin and end as taught',
    second: 'held-out answers, nats per token',
    ...{ model: seedModel, heldOut: await heldOut() },
    train: as('ideas', tasks.definitions.train.map(styled)),
    epochs: 2,
    batchSize: 16,
    settings: [
      ...['ce lr=3e-4', 'k1 lr=3e-4', 'k8 lr=3e-4', 'ce lr=1e-3', 'k8 lr=1e-3'],
      ...['ce lr=1e-3 keep=1 pull=2.5', 'k8 lr=1e-3 keep=1 pull=2.5'],
    ],
    async score(model, tokenizer) {
      const prompts = asked.map(({ user }) => promptIds(tokenizer, user));
      const answers = await model.generateBatch(prompts, { maxNewTokens: 64 }).collect();
      const texts = answers.map((ids) => tokenizer.decode(ids).trim());
      const right = texts.filter((text) => text.startsWith(prefix.trim()) && text.endsWith(suffix.trim()));
      return {
        target: right.length / texts.length,
        second: perToken(await scoreChats(model, tokenizer, asked)),
      };
    },
  };
}
