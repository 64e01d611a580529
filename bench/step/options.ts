import { parseArgs } from 'node:util';
import { modelSizes, type ModelSize } from './bench-model.js';
import { rowKinds, type RowKind } from './bench-rows.js';

export type Checkpointing = 'auto' | 'true' | 'false';

export interface BenchOptions {
  /** Measured steps of each trainer in each block. */
  steps: number;
  blocks: number;
  warmup: number;
  /** `default` leaves it to the machine, for ours; TRL then computes in bfloat16. */
  dtype: 'fp32' | 'bf16' | 'default';
  /**
   * Losses of TRL's SFTTrainer to measure beside ours; `fp32`: ours again, in float32; `matrix`: products of large matrices, for
   * what the machine can do at most; `python`: the package adaptive_trainer. Empty for none.
   */
  peers: ('chunked_nll' | 'nll' | 'fp32' | 'matrix' | 'python')[];
  size: ModelSize;
  rows: RowKind;
  /** Of ours and of TRL; a contender for each. */
  checkpointing: Checkpointing[];
  trlCheckpointing: Checkpointing[];
  loss: 'adaptive' | 'ce';
  threads: number;
  python: string | undefined;
  /** The folder that holds adaptive_trainer, for the peer `python`. */
  package: string;
  note: string;
}

export const usage = `npm run bench:step -- [--steps 5] [--blocks 6] [--warmup 3] [--dtype fp32|bf16|default]
                       [--loss adaptive|ce] [--peers trl,trl-nll,fp32,matrix,python|none] [--threads 2] [--python PATH] [--note TEXT]
                       [--package FOLDER]
                       [--size 28m|135m] [--rows real|equal]
                       [--checkpointing auto,true,false] [--trl-checkpointing true,false]`;

const peers = {
  trl: 'chunked_nll',
  'trl-nll': 'nll',
  fp32: 'fp32',
  matrix: 'matrix',
  python: 'python',
} as const;

function oneOf<Choice extends string>(flag: string, value: string, choices: readonly Choice[]): Choice {
  if ((choices as readonly string[]).includes(value)) return value as Choice;
  throw new Error(`Expected ${flag} to be one of ${choices.join(', ')} but received "${value}".\n${usage}`);
}

function whole(flag: string, value: string, least: number): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(
    `Expected ${flag} to be a whole number, ${least} or more, but received "${value}".\n${usage}`,
  );
}

/** The command line of the step benchmark. */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      steps: { type: 'string', default: '5' },
      blocks: { type: 'string', default: '6' },
      warmup: { type: 'string', default: '3' },
      dtype: { type: 'string', default: 'fp32' },
      peers: { type: 'string', default: 'trl' },
      loss: { type: 'string', default: 'adaptive' },
      threads: { type: 'string', default: '2' },
      size: { type: 'string', default: '28m' },
      rows: { type: 'string', default: 'real' },
      checkpointing: { type: 'string', default: 'auto' },
      'trl-checkpointing': { type: 'string', default: 'true' },
      python: { type: 'string' },
      package: { type: 'string', default: '' },
      note: { type: 'string', default: '' },
    },
  });
  const named = values.peers === 'none' ? [] : values.peers.split(',');
  return {
    steps: whole('--steps', values.steps, 1),
    blocks: whole('--blocks', values.blocks, 1),
    warmup: whole('--warmup', values.warmup, 1),
    dtype: oneOf('--dtype', values.dtype, ['fp32', 'bf16', 'default']),
    peers: named.map((peer) => peers[oneOf('--peers', peer, ['trl', 'trl-nll', 'fp32', 'matrix', 'python'])]),
    size: oneOf('--size', values.size, modelSizes),
    rows: oneOf('--rows', values.rows, Object.keys(rowKinds) as RowKind[]),
    checkpointing: values.checkpointing
      .split(',')
      .map((one) => oneOf('--checkpointing', one, ['auto', 'true', 'false'])),
    trlCheckpointing: values['trl-checkpointing']
      .split(',')
      .map((one) => oneOf('--trl-checkpointing', one, ['true', 'false'])),
    loss: oneOf('--loss', values.loss, ['adaptive', 'ce']),
    threads: whole('--threads', values.threads, 1),
    python: values.python,
    package: values.package,
    note: values.note,
  };
}
