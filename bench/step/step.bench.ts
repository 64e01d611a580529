/**
 * Seconds per optimizer step and peak memory, of this library and of TRL's SFTTrainer, on one model and the same rows.
 *
 *   npm run bench:step                        adaptive loss against TRL's chunked_nll, float32
 *   npm run bench:step -- --loss ce           the same loss on both sides: losses and gradient norms must agree
 *   npm run bench:step -- --peers none        ours alone; no Python
 *   npm run bench:step -- --dtype default --peers fp32   what the default precision gains on this machine
 *
 * The trainers take turns in blocks of steps (A B A B …), each in a process of its own that waits while the other
 * works, so a machine that slows down slows down both. Medians and their ratio are what to read.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { appendResults, type Result } from './append-results.js';
import { benchModel } from './bench-model.js';
import { batchSize, benchRows, tokensPerBatch } from './bench-rows.js';
import { readOptions, type BenchOptions } from './options.js';
import { Peer, type PeerReady, type StepRecord } from './peer.js';
import { pythonEnv } from './python-env.js';
import { quantile } from './quantile.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const modelDir = join(root, 'build', 'bench-model');
const learningRate = 1e-4;
const gib = 2 ** 30;

interface Contender {
  peer: Peer;
  loss: string;
  ready: PeerReady;
  steps: StepRecord[];
  peakBytes: number;
}

/** The settings both kinds of peer take, as arguments of their command lines. */
function common(options: BenchOptions, rows: string, total: number): string[] {
  return [
    '--model',
    modelDir,
    '--tokenizer',
    join(root, 'examples', 'seed-lm'),
    '--rows',
    rows,
    '--steps',
    String(total),
    '--batch-size',
    String(batchSize),
    '--learning-rate',
    String(learningRate),
    '--threads',
    String(options.threads),
  ];
}

function startOurs(options: BenchOptions, shared: string[], dtype = options.dtype): Peer {
  const own = ['--loss', options.loss, '--dtype', dtype];
  const args = ['--import', 'tsx', join(here, 'ours-peer.ts'), ...shared, ...own];
  return new Peer(`adaptive-trainer${dtype === options.dtype ? '' : ` ${dtype}`}`, process.execPath, args, {
    OMP_NUM_THREADS: String(options.threads),
  });
}

async function startTrl(options: BenchOptions, shared: string[], loss: string): Promise<Peer> {
  const python = await pythonEnv(join(root, 'build', 'bench-venv'), options.python);
  const own = ['--out', join(root, 'build', 'bench-out', 'trl'), '--loss', loss];
  if (options.dtype !== 'fp32') own.push('--bf16');
  return new Peer(`TRL ${loss}`, python, [join(here, 'trl_peer.py'), ...shared, ...own], {
    OMP_NUM_THREADS: String(options.threads),
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
  });
}

async function race(contenders: Contender[], options: BenchOptions): Promise<void> {
  for (let block = 0; block <= options.blocks; block++) {
    // Block 0 warms up. Afterwards each goes first as often as the others.
    const order = block % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const { steps, peakBytes } = await contender.peer.run(block === 0 ? options.warmup : options.steps);
      contender.peakBytes = Math.max(contender.peakBytes, peakBytes);
      if (block > 0) contender.steps.push(...steps);
      const median = quantile(
        steps.map(({ seconds }) => seconds),
        0.5,
      );
      const last = steps.at(-1);
      console.log(
        `  ${block === 0 ? 'warm-up' : `block ${block}`.padEnd(7)}  ${contender.peer.name.padEnd(18)}` +
          `${median.toFixed(3).padStart(8)} s/step   loss ${last?.loss.toFixed(4)}   |grad| ${last?.gradNorm.toFixed(4)}`,
      );
    }
  }
}

function summary({ peer, loss, ready, steps, peakBytes }: Contender, options: BenchOptions): Result {
  const seconds = steps.map((step) => step.seconds);
  const p50 = quantile(seconds, 0.5);
  return {
    date: new Date().toISOString().slice(0, 16),
    trainer: peer.name,
    loss,
    dtype: ready.dtype,
    steps: steps.length,
    p20_s: quantile(seconds, 0.2),
    p50_s: p50,
    p80_s: quantile(seconds, 0.8),
    tokens_per_s: tokensPerBatch / p50,
    peak_gib: peakBytes / gib,
    last_loss: steps.at(-1)?.loss ?? NaN,
    last_grad_norm: steps.at(-1)?.gradNorm ?? NaN,
    threads: ready.threads,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    instructions: ready.instructions,
    cores: cpus().length,
    os: `${type()} ${release()}`,
    versions: Object.entries(ready.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join('; '),
    note: options.note,
  };
}

function print(results: Result[]): void {
  const fixed = (value: string | number | undefined) => Number(value).toFixed(3).padStart(9);
  console.log(
    `\n${'trainer'.padEnd(20)}${['p20 s', 'p50 s', 'p80 s', 'peak GiB'].map((name) => name.padStart(9)).join('')}`,
  );
  for (const { trainer, p20_s, p50_s, p80_s, peak_gib } of results) {
    console.log(`${String(trainer).padEnd(20)}${[p20_s, p50_s, p80_s, peak_gib].map(fixed).join('')}`);
  }
  const [ours, ...others] = results;
  for (const other of others) {
    const speed = Number(other.p50_s) / Number(ours?.p50_s);
    const memory = Number(other.peak_gib) / Number(ours?.peak_gib);
    console.log(
      `against ${other.trainer}: ${speed.toFixed(2)} times the speed, 1/${memory.toFixed(2)} of the memory`,
    );
  }
}

/** Gradient norms step by step and, where both sides train the same loss, how far they are apart at most. */
function printNorms([ours, ...others]: Contender[]): void {
  console.log('\ngradient norms, step by step');
  for (const other of ours?.loss === 'ce' ? others : []) {
    const gap = (key: 'gradNorm' | 'loss') =>
      Math.max(...other.steps.map((step, i) => Math.abs((ours?.steps[i]?.[key] ?? NaN) / step[key] - 1)));
    console.log(
      `  largest relative difference to ${other.peer.name}: ` +
        `|grad| ${gap('gradNorm').toExponential(1)}, loss ${gap('loss').toExponential(1)}`,
    );
  }
  for (const { peer, steps } of [ours, ...others].filter((one) => one !== undefined)) {
    console.log(
      `  ${peer.name.padEnd(18)} ${steps
        .slice(0, 8)
        .map(({ gradNorm }) => gradNorm.toFixed(3))
        .join('  ')}`,
    );
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { parameters } = await benchModel(modelDir);
  const total = options.warmup + options.steps * options.blocks;
  const rows = join(root, 'build', 'bench-out', 'rows.json');
  await mkdir(dirname(rows), { recursive: true });
  await writeFile(rows, JSON.stringify(benchRows(total)));
  console.log(
    `${(parameters / 1e6).toFixed(1)} M parameters, ${batchSize} rows and ${tokensPerBatch} tokens a step, ${options.dtype}`,
  );

  const shared = common(options, rows, total);
  const peers: { peer: Peer; loss: string }[] = [];
  try {
    // Loaded one after the other: a peer that still loads would slow down its neighbour.
    const contenders: Contender[] = [];
    const enter = async (peer: Peer, loss: string) => {
      peers.push({ peer, loss });
      contenders.push({ peer, loss, ready: await peer.ready(), steps: [], peakBytes: 0 });
    };
    await enter(startOurs(options, shared), options.loss);
    for (const peer of options.peers) {
      if (peer === 'fp32') await enter(startOurs(options, shared, 'fp32'), options.loss);
      else await enter(await startTrl(options, shared, peer), peer);
    }
    await race(contenders, options);
    const results = contenders.map((contender) => summary(contender, options));
    print(results);
    if (contenders.length > 1) printNorms(contenders);
    await appendResults(join(root, 'bench', 'results.csv'), results);
  } finally {
    await Promise.all(peers.map(({ peer }) => peer.stop()));
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
