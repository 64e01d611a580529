import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, Checkpointing } from './options.js';
import { instructionSets, ownVersions } from './machine-facts.js';
import { Peer, type PeerReady, type StepRecord } from './peer.js';
import { pythonEnv } from './python-env.js';
import { batchSize } from './bench-rows.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const learningRate = 1e-4;

/** One that takes turns with the others. */
export interface Contender {
  peer: Peer;
  loss: string;
  checkpointing: Checkpointing | '';
  ready: PeerReady;
  steps: StepRecord[];
  peakBytes: number;
  /** The longest of its blocks' 99th percentiles, in milliseconds. */
  eventLoopDelay?: number | undefined;
}
export type Entrant = Pick<Contender, 'peer' | 'loss' | 'checkpointing'>;

/** What all trainers open. */
export interface Trained {
  model: string;
  rows: string;
  steps: number;
}

/** Starts them one by one, ours first; the next when the one before was taken. */
export async function* entrants(options: BenchOptions, trained: Trained): AsyncGenerator<Entrant> {
  const shared = common(options, trained);
  for (const checkpointing of options.checkpointing) yield ours(options, shared, checkpointing);
  for (const peer of options.peers) {
    if (peer === 'fp32') yield ours(options, shared, options.checkpointing[0]!, 'fp32');
    else if (peer === 'matrix') yield await matrix(options);
    else if (peer === 'python') yield await pythonTrainer(options, shared);
    else
      for (const checkpointing of options.trlCheckpointing)
        yield await trl(options, shared, peer, checkpointing);
  }
}

/** The settings both kinds of trainer take, as arguments of their command lines. */
function common(options: BenchOptions, { model, rows, steps }: Trained): string[] {
  const settings = {
    model,
    tokenizer: join(root, 'examples', 'seed-lm'),
    rows,
    steps,
    'batch-size': batchSize,
    'learning-rate': learningRate,
    threads: options.threads,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function ours(
  options: BenchOptions,
  shared: string[],
  checkpointing: Checkpointing,
  dtype = options.dtype,
): Entrant {
  const own = ['--loss', options.loss, '--dtype', dtype, '--checkpointing', checkpointing];
  const facts = JSON.stringify({ instructions: instructionSets(), versions: ownVersions() });
  const args = [join(here, 'ours-peer.mjs'), ...shared, ...own, '--facts', facts];
  const name = `adaptive-trainer${dtype === options.dtype ? '' : ` ${dtype}`}`;
  const env = { OMP_NUM_THREADS: String(options.threads) };
  return { peer: new Peer(name, process.execPath, args, env), loss: options.loss, checkpointing };
}

async function python(
  options: BenchOptions,
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Peer> {
  const program = await pythonEnv(join(root, 'build', 'bench-venv'), options.python);
  if (options.dtype !== 'fp32') args.push('--bf16');
  return new Peer(name, program, args, {
    OMP_NUM_THREADS: String(options.threads),
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
    ...env,
  });
}

async function trl(
  options: BenchOptions,
  shared: string[],
  loss: string,
  checkpointing: Checkpointing,
): Promise<Entrant> {
  const own = ['--out', join(root, 'build', 'bench-out', 'trl'), '--loss', loss];
  const args = [join(here, 'trl_peer.py'), ...shared, ...own, '--checkpointing', checkpointing];
  return { peer: await python(options, `TRL ${loss}`, args), loss, checkpointing };
}

async function pythonTrainer(options: BenchOptions, shared: string[]): Promise<Entrant> {
  const checkpointing = options.trlCheckpointing[0]!;
  const args = [join(here, 'python_trainer_peer.py'), ...shared, '--checkpointing', checkpointing];
  args.push('--out', join(root, 'build', 'bench-out', 'python'));
  const peer = await python(options, 'adaptive_trainer (Python)', args, { PYTHONPATH: options.package });
  return { peer, loss: 'adaptive', checkpointing };
}

async function matrix(options: BenchOptions): Promise<Entrant> {
  const args = [join(here, 'matrix_peer.py'), '--threads', String(options.threads)];
  args.push('--side', String(matrixSide));
  return { peer: await python(options, 'matrix product', args), loss: '', checkpointing: '' };
}

export const matrixSide = 4096;
