import { stringify } from 'yaml';

/** What a configuration is written of. */
export interface Answers {
  model: string;
  data: string;
  style: string;
  lora: boolean;
  outputDir: string;
}

/** What the first row of the data looks like. */
export interface DataFormat {
  /** Its columns; empty where they are not known. */
  columns: readonly string[];
  /** Whether rows are understood as they are. */
  isKnown: boolean;
  /** What is left to do; empty: nothing. */
  note: string;
}

/** A configuration with a reason beside each value. */
export function configText(answers: Answers, format: DataFormat): string {
  const { model, data, style, lora, outputDir } = answers;
  const columns =
    format.columns.length === 0
      ? ''
      : ` # its rows have the columns ${format.columns.map(printable).join(', ')}`;
  return `# A configuration of adaptive-trainer. Every key and its default: docs/keys.md.
model_name: ${scalar(model)} # a folder, or a name on the Hub
output_dir: ${scalar(outputDir)} # checkpoints, metrics.jsonl, final_model and report.html go here

datasets_config:
  ${style}: # ideas, attention, both or misc: docs/styles.md
    - ${scalar(data)}${columns}
${format.isKnown ? '' : guessed(answers, format)}
training_config:
  num_epochs: 3 # how often each row is seen; fewer for much data
  batch_size: 4 # rows at a time; less takes less memory
  gradient_accumulation_steps: 4 # a step is batch_size times this many rows
  learning_rate: ${lora ? '2e-4 # an adapter takes about ten times the rate of all weights' : '2e-5 # all weights; an adapter takes about ten times as much'}
  bf16: true # computes in bfloat16, where the machine has instructions for it
  max_length_token: 2048 # longer rows are left out and counted; longer ones take more memory
  retention: {} # holds the model to what it knew: docs/learning.md
${lora ? adapter : ''}`;
}

const adapter = `
peft_config: # trains a LoRA adapter in place of all weights: docs/lora.md
  r: 16 # size of the adapter; more learns more and takes more memory
  lora_alpha: 32 # usually twice r
  target_modules: all-linear # every projection
`;

function guessed({ data }: Answers, { columns }: DataFormat): string {
  const [user = 'prompt', ...others] = columns;
  const assistant = others.at(-1) ?? 'response';
  return `
datasets_kwargs:
  ${scalar(data)}:
    columns: # guessed: name the column with what is asked and the one with the answer that is learned
      user: ${scalar(user)}
      assistant: ${scalar(assistant)}
`;
}

/** A value or key as YAML writes it, quoted where it has to be. */
function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trimEnd();
}

/** Names of columns come from a file, and a comment ends with its line. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
}
