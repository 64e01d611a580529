import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { isHubName } from '../common/is-hub-name.js';
import { writeTextDurably } from '../common/write-durably.js';
import { isPlainObject } from '../common/is-plain-object.js';
import type { DatasetsConfigInput } from '../config/datasets/datasets-config.js';
import type { Sample } from '../data/sources/dataset-source.js';
import { planDatasets } from '../config/datasets/plan-datasets.js';
import { sampleToChat } from '../data/chats/sample-to-chat.js';
import { openDataset } from '../data/sources/open-dataset.js';
import type { LearningStyle } from '../events/learning-style.js';
import * as ask from './ask.js';
import { UsageError } from './usage-error.js';
import { configText, type Answers, type DataFormat } from './init-text.js';

export interface InitOptions {
  model?: string;
  data?: string;
  style?: string;
  lora?: boolean;
  outputDir?: string;
  out?: string;
  yes?: boolean;
}
/** In the order in which they are offered. */
const styleHints = {
  ideas: 'concepts and behaviour: tokens that are far from what the model would say',
  attention: 'facts and forms to learn exactly: every token that the model gets wrong',
  both: 'both of these',
  misc: "text that only keeps the model's footing",
} satisfies Record<LearningStyle, string>;

/** Writes a commented configuration of what was asked for. */
export async function init(options: InitOptions): Promise<void> {
  const isAsking = options.yes !== true && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const file = options.out ?? 'config.yml';
  if (!/\.ya?ml$/i.test(file))
    throw new UsageError(
      `Expected --out to name a YAML file (.yml), which can hold comments, but received ${file}.`,
      '',
    );
  if (existsSync(file) && !(isAsking && (await ask.toReplace(file))))
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Expected to write a new file, but ${file} is there. Nothing was changed. Name another with --out, or delete it.`,
      { details: { file } },
    );
  const answers = isAsking ? await asked(options) : given(options);
  const format = await lookAt(answers);
  await writeTextDurably(file, configText(answers, format));
  console.log(file);
  console.error(
    `Next: adaptive-trainer validate ${file}, preview ${file}, then train ${file}. ${format.note}`.trim(),
  );
}

function given({ model, data, style = 'ideas', lora = true, outputDir = 'out' }: InitOptions): Answers {
  const missing = [...(model === undefined ? ['--model'] : []), ...(data === undefined ? ['--data'] : [])];
  if (missing.length > 0)
    throw new UsageError(
      `Expected ${missing.join(' and ')}, since nothing is asked without a terminal or with --yes.`,
      '',
    );
  return { model: model!, data: data!, style, lora, outputDir };
}

/** Asks for what no option says. */
async function asked(options: InitOptions): Promise<Answers> {
  const model =
    options.model ??
    (await ask.words('Which model? A folder, or a name on the Hub', {
      placeholder: 'HuggingFaceTB/SmolLM2-135M-Instruct',
      faultOf: faultOfModel,
    }));
  const data = options.data ?? (await askForData());
  const style = options.style ?? (await ask.choice('How is it to be learned?', styleHints));
  const lora =
    options.lora ??
    (await ask.yesOrNo('Train an adapter (LoRA), which takes less memory, in place of all weights?'));
  const outputDir =
    options.outputDir ??
    (await ask.words('Where does the run write?', { placeholder: 'out', initialValue: 'out' }));
  return { model, data, style, lora, outputDir };
}

/** Asks until rows can be read. */
async function askForData(): Promise<string> {
  for (;;) {
    const question = 'Which data? A file (.jsonl, .csv, .parquet, …), a folder, or a name on the Hub';
    const data = await ask.words(question, { placeholder: 'data/rows.jsonl' });
    try {
      await lookAt({ data, style: 'ideas' });
      return data;
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      await ask.say(error.message);
    }
  }
}

function faultOfModel(model: string): string | undefined {
  if (existsSync(join(model, 'config.json')) || existsSync(join(model, 'adapter_config.json')))
    return undefined;
  if (existsSync(model)) return `${model} holds no model: there is no config.json in it.`;
  return isHubName(model)
    ? undefined
    : `There is no folder ${model}, and it is no name on the Hub (owner/name).`;
}

/** Reads the first row of a dataset on this disk. */
async function lookAt({ data, style }: Pick<Answers, 'data' | 'style'>): Promise<DataFormat> {
  const [plan] = planDatasets({ [style]: [data] } as unknown as DatasetsConfigInput, {}, () => {});
  let first: Sample | undefined;
  try {
    for await (const sample of (await openDataset(plan!, () => {})).train()) {
      first = sample;
      break;
    }
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'NOT_AVAILABLE')) throw error;
    return { columns: [], isKnown: true, note: 'The data is on the Hub and was not looked at.' };
  }
  if (first === undefined)
    throw new AdaptiveTrainerError('DATASET_INVALID', `Expected rows in ${data}, but it has none.`);
  const columns = isPlainObject(first.value) ? Object.keys(first.value) : [];
  try {
    await sampleToChat(plan!, first);
    return { columns, isKnown: true, note: '' };
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    const note = 'Which columns hold what could only be guessed: look at datasets_kwargs first.';
    return { columns, isKnown: false, note };
  }
}
