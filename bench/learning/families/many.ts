import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promptIds } from '../../../examples/quickstart/measure.js';
import { wordNetTasks } from '../../../examples/quickstart/wordnet.js';
import { shuffledIndices } from '../../../src/common/seeded-random.js';
import { trainSeedLm } from '../train-seed-lm.js';
import type { Exchange, Family, FamilySize } from '../family.js';

const commonKinds = 'animal artifact communication food person plant substance'.split(' ');
interface Noun {
  word: string;
  kind: string;
}

const article = (word: string) => (/^[aeiou]/.test(word) ? 'an' : 'a');

/**
 * Many right answers: "Name an animal." On a base model that was made from sentences which say of each noun what it is, so
 * that it knows far more of them than it is trained to name. Right is any noun of that kind.
 * @param folder where that model is, or is made
 */
export async function many({ scale, seed }: FamilySize, folder: string): Promise<Family> {
  const all = (
    await wordNetTasks({
      ...{ categories: 60_000, definitions: 0, heldOutCategories: 0, heldOutDefinitions: 0 },
      ...{ showcase: ['snowstorm'], seed: 1 },
    })
  ).categories.train
    .map(({ word, assistant: kind }) => ({ word, kind }))
    // Short words are words that a small model can spell.
    .filter(({ word, kind }) => commonKinds.includes(kind) && /^[a-z]{3,9}$/.test(word))
    .slice(0, 4000);
  const model = join(folder, 'many-base');
  if (!existsSync(join(model, 'final_model'))) await makeBase(model, all);
  const perKind = Math.max(3, Math.round(40 * scale));
  const words = new Map(commonKinds.map((kind) => [kind, [] as string[]]));
  for (const at of shuffledIndices(all.length, seed)) words.get(all[at]!.kind)!.push(all[at]!.word);
  const question = (kind: string) => `Name ${article(kind)} ${kind}.`;
  const train = commonKinds.flatMap((kind): Exchange[] =>
    words
      .get(kind)!
      .slice(0, perKind)
      .map((word) => ({ user: question(kind), assistant: word, style: 'ideas' })),
  );
  const perQuestion = Math.max(10, Math.round(100 * scale));
  const trained = new Set(train.map(({ assistant }) => assistant));
  const others = all.filter(({ word }) => !trained.has(word)).slice(0, 400);
  return {
    name: 'many',
    target: 'sampled answers that are right',
    second: 'different right answers, as a share of the samples',
    model: join(model, 'final_model'),
    heldOut: {
      text: others.flatMap((noun) => sayings(noun).texts),
      chats: others.map((noun) => sayings(noun).chat),
    },
    train,
    epochs: 4,
    batchSize: 8,
    settings: [
      ...['ce lr=1e-4', 'ce lr=3e-4', 'k1 lr=3e-4', 'k8 lr=3e-4', 'k8 lr=1e-3'],
      ...['ce lr=1e-3 keep=1', 'k1 lr=1e-3 keep=1', 'k8 lr=1e-3 keep=1'],
    ],
    async score(trained, tokenizer) {
      let [right, different, samples] = [0, 0, 0];
      for (const kind of commonKinds) {
        const prompt = promptIds(tokenizer, question(kind));
        const prompts = Array.from({ length: perQuestion }, () => prompt);
        const options = { maxNewTokens: 12, temperature: 1, seed: 1 };
        const answers = await trained.generateBatch(prompts, options).collect();
        const known = new Set(words.get(kind));
        const valid = answers.map((ids) => tokenizer.decode(ids).trim()).filter((text) => known.has(text));
        right += valid.length;
        different += new Set(valid).size;
        samples += answers.length;
      }
      return { target: right / samples, second: different / samples };
    },
  };
}

/** What the base learns of a noun: outside a chat, and in one. */
const sayings = ({ word, kind }: Noun) => ({
  texts: [
    `${article(word)} ${word} is ${article(kind)} ${kind}.`,
    `one ${kind} is ${article(word)} ${word}.`,
  ],
  chat: `<|im_start|>user\nWhat is ${article(word)} ${word}?<|im_end|>\n<|im_start|>assistant\n${article(kind)} ${kind}<|im_end|>`,
});

/** A model that has read of each noun what it is, many times, in a random order. */
async function makeBase(folder: string, nouns: readonly Noun[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const sentences = nouns.flatMap((noun) => [...sayings(noun).texts, sayings(noun).chat]);
  const text = join(folder, 'sentences.txt');
  const passes = Array.from({ length: 12 }, (_, pass) =>
    Array.from(shuffledIndices(sentences.length, pass), (index) => sentences[index]!).join('\n'),
  );
  await writeFile(text, passes.join('\n'));
  const size = ['--hidden', '192', '--layers', '3', '--row', '128', '--learning-rate', '2e-3'];
  await trainSeedLm(['--out', folder, '--text', text, ...size, '--float32']);
}
