import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../errors.js';
import { isPlainObject } from '../common/is-plain-object.js';
import type { DatasetsConfigInput } from '../config/datasets/datasets-config.js';
import type { Sample } from '../data/sources/dataset-source.js';
import { planDatasets } from '../config/datasets/plan-datasets.js';
import { sampleToChat } from '../data/chats/sample-to-chat.js';
import { openDataset } from '../data/sources/open-dataset.js';
import { learningStyles } from '../events/learning-style.js';
import { ExitStatus } from './exit-status.js';
import { UsageError } from './usage-error.js';
import { configText, type Answers, type DataFormat } from './init-text.js';

const interrupted = 130;

export interface InitOptions {
  model?: string;
  data?: string;
  style?: string;
  lora?: boolean;
  outputDir?: string;
  out?: string;
  yes?: boolean;
}
const styleHints = {
  ideas: 'concepts and behaviour: tokens that are far from what the model would say',
  attention: 'facts and forms to learn exactly: every token that the model gets wrong',
  both: 'both of these',
  misc: "text that only keeps the model's footing",
};

/** Writes a commented configuration of what was asked for. */
export async function init(options: InitOptions): Promise<void> {
  const isAsking = options.yes !== true && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const file = options.out ?? 'config.yml';
  if (!/\.ya?ml$/i.test(file))
    throw new UsageError(
      `Expected --out to name a YAML file (.yml), which can hold comments, but received ${file}.`,
      '',
    );
  const answers = isAsking ? await ask(options) : given(options);
  if (existsSync(file) && !(isAsking && (await confirmed(`${file} is there. Replace it?`))))
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Expected to write a new file, but ${file} is there. Nothing was changed. Name another with --out, or delete it.`,
      { details: { file } },
    );
  const format = await lookAt(answers);
  await writeFile(file, configText(answers, format));
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

async function ask(options: InitOptions): Promise<Answers> {
  const { text, select, confirm, isCancel } = await import('@clack/prompts');
  const answer = async <T>(asked: Promise<T>): Promise<Exclude<T, symbol>> => {
    const value = await asked;
    if (isCancel(value)) throw new ExitStatus(interrupted);
    return value as Exclude<T, symbol>;
  };
  const words = (message: string, placeholder: string, initialValue?: string) =>
    answer(
      text({
        ...{ message, placeholder },
        ...(initialValue === undefined ? {} : { initialValue }),
        validate: (value) => (value?.trim() ? undefined : 'It cannot be left out.'),
      }),
    );
  return {
    model:
      options.model ??
      (await words('Which model? A folder, or a name on the Hub', 'HuggingFaceTB/SmolLM2-135M-Instruct')),
    data:
      options.data ??
      (await words(
        'Which data? A file (.jsonl, .csv, .parquet, …), or a name on the Hub',
        'data/rows.jsonl',
      )),
    style:
      options.style ??
      (await answer(
        select<string>({
          message: 'How is it to be learned?',
          options: learningStyles.map((value) => ({ value: value as string, hint: styleHints[value] })),
        }),
      )),
    lora:
      options.lora ??
      (await answer(
        confirm({ message: 'Train an adapter (LoRA), which takes less memory, in place of all weights?' }),
      )),
    outputDir: options.outputDir ?? (await words('Where does the run write?', 'out', 'out')),
  };
}

async function confirmed(message: string): Promise<boolean> {
  const { confirm } = await import('@clack/prompts');
  return (await confirm({ message, initialValue: false })) === true;
}

/** Reads the first row of a dataset on this disk. */
async function lookAt({ data, style }: Answers): Promise<DataFormat> {
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
