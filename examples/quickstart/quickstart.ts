/**
 * Fine-tunes the small model of examples/seed-lm on WordNet and shows what that changed.
 *
 *   npm run quickstart                    the whole of it
 *   npm run quickstart -- --rows 500      fewer training rows, to see it work
 *   npm run quickstart -- --out my-run    somewhere other than runs/quickstart, which each time starts over
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CausalLM, Tokenizer, trainAdaptively } from 'adaptive-trainer';
import { ask } from './ask.js';
import { beforeAfter } from './before-after.js';
import { measure, type HeldOut, type Measures } from './measure.js';
import { settings } from './settings.js';
import { wordNetTasks, type Example, type WordNetTasks } from './wordnet.js';

const here = dirname(fileURLToPath(import.meta.url));
const seedModel = join(here, '..', 'seed-lm');

function options(): { outputDir: string; overwriteOutputDir: boolean; rows: number } {
  const { values } = parseArgs({ options: { rows: { type: 'string' }, out: { type: 'string' } } });
  const { categories, definitions } = settings.tasks;
  const rows = Number(values.rows ?? categories + definitions);
  if (!Number.isSafeInteger(rows) || rows < 70) {
    throw new Error(`Expected --rows to be a whole number, 70 or more, but received "${values.rows}".`);
  }
  // Only the quickstart's own folder may be written over.
  const overwriteOutputDir = values.out === undefined;
  return { outputDir: values.out ?? join('runs', 'quickstart'), overwriteOutputDir, rows };
}

/** A dataset on disk is a folder with one JSONL file per split. */
async function writeDataset(folder: string, { train, heldOut }: { train: Example[]; heldOut: Example[] }) {
  await mkdir(folder, { recursive: true });
  const lines = (examples: Example[]) => examples.map((example) => `${JSON.stringify(example)}\n`).join('');
  await writeFile(join(folder, 'train.jsonl'), lines(train));
  await writeFile(join(folder, 'validation.jsonl'), lines(heldOut));
  return folder;
}

/** The held-out words whose answers are shown: the first two of one task, the first of the other. */
const shown = ({ categories, definitions }: WordNetTasks): Example[] => [
  ...categories.heldOut.slice(0, settings.tasks.showcase.length - 1),
  ...definitions.heldOut.slice(0, 1),
];

/** The answer that is right most often: what a model can score without having learned any noun. */
function commonest(examples: Example[]): { kind: string; share: number } {
  const counts = new Map<string, number>();
  for (const { assistant } of examples) counts.set(assistant, (counts.get(assistant) ?? 0) + 1);
  const [kind, count] = [...counts].reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0]);
  return { kind, share: count / examples.length };
}

async function examine(
  dir: string,
  tasks: WordNetTasks,
  heldOut: HeldOut,
): Promise<{ measures: Measures; answers: string[] }> {
  const model = await CausalLM.fromPretrained(dir);
  try {
    const tokenizer = await Tokenizer.fromPretrained(dir);
    const measures = await measure(model, tokenizer, tasks, heldOut);
    const answers: string[] = [];
    for (const { user } of shown(tasks)) answers.push(await ask(model, tokenizer, user));
    return { measures, answers };
  } finally {
    model.dispose();
  }
}

async function main(): Promise<void> {
  const { outputDir, overwriteOutputDir, rows } = options();
  const { categories, definitions } = settings.tasks;
  const ideas = Math.round((rows * categories) / (categories + definitions));
  const tasks = await wordNetTasks({ ...settings.tasks, categories: ideas, definitions: rows - ideas });
  const heldOut = JSON.parse(await readFile(join(seedModel, 'heldout.json'), 'utf8')) as HeldOut;

  console.log(
    'A model of 4 million parameters learns from WordNet: what kind of thing a noun is, what a word means.',
  );
  console.log(`Before training, on ${tasks.categories.heldOut.length} nouns that it will not be trained on…`);
  const before = await examine(seedModel, tasks, heldOut);

  const finalModel = await trainAdaptively({
    modelName: seedModel,
    outputDir,
    datasetsConfig: {
      ideas: [await writeDataset(join(outputDir, 'data', 'categories'), tasks.categories)],
      attention: [await writeDataset(join(outputDir, 'data', 'definitions'), tasks.definitions)],
    },
    trainingConfig: { ...settings.training, runName: 'quickstart', overwriteOutputDir },
    adaptiveLossConfig: settings.loss,
  });

  const after = await examine(finalModel, tasks, heldOut);
  const answers = shown(tasks).map(({ user, assistant }, i) => ({
    question: user,
    expected: assistant,
    before: before.answers[i] ?? '',
    after: after.answers[i] ?? '',
  }));
  console.log(
    `\n${beforeAfter(before.measures, after.measures, commonest(tasks.categories.heldOut), answers)}\n`,
  );
  console.log(`model    ${relative('.', finalModel)}  (opens in transformers too)`);
  console.log(
    `report   ${join(outputDir, 'report.html')}  (what it learned, token by token; opens without a network)`,
  );
  console.log(`metrics  ${join(outputDir, 'metrics.jsonl')}`);
  console.log(
    '\nThe model is too small to be of use, but learning and forgetting show. Try next, in settings.ts:\n' +
      '  training.retention false: the older text and chats are forgotten\n' +
      '  loss.topK 8 with the same data: many right answers are soon "good enough" and no longer trained\n' +
      'Then your own data: any .jsonl of {"user", "assistant"} or {"messages"} rows, and any Llama or Qwen2 folder.',
  );
}

await main();
