/**
 * How a recorded output is compared with that of today. `text`: it is the same; `numbers`: the same but for numbers, which
 * another processor makes others in their last digits; `beginnings`: lines begin alike; `nothing`: the line is not run again.
 */
export type Comparing = 'text' | 'numbers' | 'beginnings' | 'nothing';

/** A command line as a user types it in the folder of the project. */
export interface Step {
  line: string;
  /** Default: text. */
  compare?: Comparing;
  /** What stands between the output of the line before and this one. */
  say?: string;
}

/** What is recorded of one command. */
export interface Recording {
  command: string;
  say: string;
  steps: readonly Step[];
  /** Whether it talks with the Hub, in whose place a server of this machine stands. */
  onHub?: boolean;
}

/** Every recording, in the order in which they run: later ones use what earlier ones left. */
export const recordings: readonly Recording[] = [
  {
    command: 'init',
    say: 'With options nothing is asked. Without them, behind a terminal, each is a question.',
    steps: [
      {
        line: 'adaptive-trainer init --model base --data data/meanings/train.jsonl --style attention --yes --out new.yml',
      },
      { line: 'cat new.yml' },
      {
        say: 'A file that is there is not replaced:',
        line: 'adaptive-trainer init --model base --data data/meanings/train.jsonl --yes --out new.yml',
      },
    ],
  },
  {
    command: 'validate',
    say: 'The configuration of the pages that follow, and whether it would run:',
    steps: [
      { line: 'cat config.yml' },
      { line: 'adaptive-trainer validate config.yml' },
      {
        say: 'Faults come all at once:',
        line: 'adaptive-trainer validate config.yml --set training_config.batch_sise=2 --set adaptive_loss_config.top_k=0',
      },
    ],
  },
  {
    command: 'preview',
    say: 'Rows as the model gets them.',
    steps: [{ line: 'adaptive-trainer preview config.yml --rows 1' }],
  },
  {
    command: 'inspect',
    say: 'What the model makes of the data before any training.',
    steps: [
      { line: 'adaptive-trainer inspect base config.yml --page inspect.html', compare: 'numbers' },
      {
        say: 'For a program:',
        line: 'adaptive-trainer inspect base config.yml --json | head -n 20',
        compare: 'numbers',
      },
    ],
  },
  {
    command: 'estimate',
    say: 'Memory and time, from shapes, the data and one measured layer.',
    steps: [
      { line: 'adaptive-trainer estimate base config.yml', compare: 'numbers' },
      {
        say: 'Would it fit on a GPU that is elsewhere?',
        line: 'adaptive-trainer estimate base config.yml --device-memory 24GiB',
        compare: 'numbers',
      },
    ],
  },
  {
    command: 'import-config',
    say: 'A configuration of axolotl, and what becomes of it:',
    steps: [{ line: 'cat axolotl.yml' }, { line: 'adaptive-trainer import-config axolotl.yml' }],
  },
  {
    command: 'train',
    say: 'First what it would do, then the run. Behind a terminal a bar shows the steps; in a pipe or a file there are lines.',
    steps: [
      { line: 'adaptive-trainer train config.yml --dry-run' },
      { line: 'adaptive-trainer train config.yml', compare: 'numbers' },
      {
        say: 'A second run into the same folder is refused:',
        line: 'adaptive-trainer train config.yml',
      },
    ],
  },
  {
    command: 'report',
    say: 'Every run ends with its page; this makes it anew.',
    steps: [{ line: 'adaptive-trainer report out' }, { line: 'adaptive-trainer report data' }],
  },
  {
    command: 'eval',
    say: 'The model that `train` left, beside the one it was made from.',
    steps: [{ line: 'adaptive-trainer eval out/final_model config.yml --against base', compare: 'numbers' }],
  },
  {
    command: 'generate',
    say: 'A text goes on.',
    steps: [
      {
        line: 'adaptive-trainer generate base "Once upon a time" --max-new-tokens 24',
        compare: 'beginnings',
      },
    ],
  },
  {
    command: 'chat',
    say: 'A line is a message; here they come from a pipe.',
    steps: [
      {
        line: "printf 'What kind of thing is a seabird?\\n' | adaptive-trainer chat out/final_model",
        compare: 'beginnings',
      },
    ],
  },
  {
    command: 'upload',
    onHub: true,
    say: 'Without a token, and then with one, to a server of this machine that stands in for the Hub.',
    steps: [
      { line: 'adaptive-trainer upload out/final_model you/kinds-of-things' },
      { line: 'HF_TOKEN=$SECRET adaptive-trainer upload out/final_model you/kinds-of-things' },
    ],
  },
  {
    command: 'doctor',
    say: 'What this machine has, and whether a step of training runs on it.',
    steps: [{ line: 'HF_HUB_OFFLINE=1 adaptive-trainer doctor', compare: 'beginnings' }],
  },
  {
    command: 'build',
    say: 'On a machine without a compiler; with one it takes minutes, and says what CMake says.',
    steps: [{ line: 'PATH=$NO_TOOLS adaptive-trainer build', compare: 'beginnings' }],
  },
  {
    command: 'setup',
    say: 'Where libtorch with headers is there already.',
    steps: [{ line: 'adaptive-trainer setup --cpu', compare: 'nothing' }],
  },
  {
    command: 'completion',
    say: 'A script for the shell.',
    steps: [{ line: 'adaptive-trainer completion bash | head -n 12' }],
  },
];
