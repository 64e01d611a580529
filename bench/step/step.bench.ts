/**
 * Seconds per optimizer step and peak memory, of this library and of TRL's SFTTrainer, on one model and the same rows.
 *
 *   npm run bench:step                        adaptive loss against TRL's chunked_nll, float32
 *   npm run bench:step -- --loss ce           the same loss on both sides: losses and gradient norms must agree
 *   npm run bench:step -- --peers none        ours alone; no Python
 *   npm run bench:step -- --dtype default --peers fp32   what the default precision gains on this machine
 *   npm run bench:step -- --size 135m --rows equal --checkpointing auto,true --trl-checkpointing true,false --peers trl,matrix
 *                                             each side at its best, and the share of the machine's matrix rate
 *
 * The trainers take turns in blocks of steps (A B A B …), each in a process of its own that waits while the other
 * works, so a machine that slows down slows down both. Medians and their ratio are what to read.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { appendResults, type Result } from './append-results.js';
import { benchModel, type ModelCounts } from './bench-model.js';
import { batchSize, benchRows, rowKinds, type BenchRow } from './bench-rows.js';
import { entrants, matrixSide, type Contender, type Entrant } from './contenders.js';
import { versionsText, whenAndWhere } from './machine-facts.js';
import { readOptions, type BenchOptions } from './options.js';
import { quantile } from './quantile.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const gib = 2 ** 30;

/** As the tables name it. */
const nameOf = ({ peer, checkpointing }: Entrant) =>
  checkpointing === '' ? peer.name : `${peer.name}, checkpointing ${checkpointing}`;

async function race(contenders: Contender[], options: BenchOptions): Promise<void> {
  for (let block = 0; block <= options.blocks; block++) {
    // Block 0 warms up. Afterwards each goes first as often as the others.
    const order = block % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const { steps, peakBytes, eventLoopDelay } = await contender.peer.run(
        block === 0 ? options.warmup : options.steps,
      );
      contender.peakBytes = Math.max(contender.peakBytes, peakBytes);
      if (block > 0) contender.steps.push(...steps);
      if (block > 0 && eventLoopDelay !== undefined)
        contender.eventLoopDelay = Math.max(contender.eventLoopDelay ?? 0, eventLoopDelay);
      const median = quantile(
        steps.map(({ seconds }) => seconds),
        0.5,
      );
      const last = steps.at(-1);
      console.log(
        `  ${block === 0 ? 'warm-up' : `block ${block}`.padEnd(7)}  ${nameOf(contender).padEnd(42)}` +
          `${median.toFixed(3).padStart(8)} s/step   loss ${last?.loss.toFixed(4)}   |grad| ${last?.gradNorm.toFixed(4)}`,
      );
    }
  }
}

function summary(contender: Contender, options: BenchOptions, { parameters }: ModelCounts): Result {
  const { peer, loss, checkpointing, ready, steps, peakBytes } = contender;
  const seconds = steps.map((step) => step.seconds);
  const p50 = quantile(seconds, 0.5);
  const isMatrix = checkpointing === '';
  const { tokens, text } = rowKinds[options.rows];
  return {
    ...whenAndWhere(),
    what: isMatrix ? `product of two matrices of ${matrixSide}` : 'step',
    trainer: peer.name,
    parameters_m: isMatrix ? '' : parameters / 1e6,
    rows: isMatrix ? '' : text,
    checkpointing,
    loss,
    dtype: ready.dtype,
    steps: steps.length,
    p20_s: quantile(seconds, 0.2),
    p50_s: p50,
    p80_s: quantile(seconds, 0.8),
    tokens_per_s: isMatrix ? '' : tokens / p50,
    peak_gib: isMatrix ? '' : peakBytes / gib,
    last_loss: isMatrix ? '' : (steps.at(-1)?.loss ?? NaN),
    last_grad_norm: isMatrix ? '' : (steps.at(-1)?.gradNorm ?? NaN),
    threads: ready.threads,
    instructions: ready.instructions,
    versions: versionsText(ready.versions),
    note: options.note,
  };
}

const medianOf = ({ steps }: Contender) =>
  quantile(
    steps.map(({ seconds }) => seconds),
    0.5,
  );

function print(contenders: Contender[]): void {
  const quantiles = (steps: Contender['steps']) =>
    [0.2, 0.5, 0.8].map((share) =>
      quantile(
        steps.map(({ seconds }) => seconds),
        share,
      ),
    );
  console.log(
    `\n${''.padEnd(44)}${['p20 s', 'p50 s', 'p80 s', 'peak GiB'].map((name) => name.padStart(9)).join('')}`,
  );
  for (const contender of contenders) {
    const figures = [...quantiles(contender.steps), contender.peakBytes / gib];
    console.log(
      `${nameOf(contender).padEnd(44)}${figures.map((value) => value.toFixed(3).padStart(9)).join('')}`,
    );
  }
  const [ours, ...others] = contenders.filter(({ checkpointing }) => checkpointing !== '');
  if (ours?.eventLoopDelay !== undefined)
    console.log(`event loop of ${nameOf(ours)}: p99 of its delay ${ours.eventLoopDelay.toFixed(1)} ms`);
  for (const other of others) {
    const speed = medianOf(other) / medianOf(ours!);
    const memory = ours!.peakBytes / other.peakBytes;
    console.log(
      `against ${nameOf(other)}: ${speed.toFixed(2)} times the speed, ${memory.toFixed(2)} of the memory`,
    );
  }
}

/** How much of the rate of large products a step has, its operations counted without recomputation. */
function printShare(contenders: Contender[], counts: ModelCounts, rows: BenchRow[]): void {
  const product = contenders.find(({ checkpointing }) => checkpointing === '');
  if (product === undefined) return;
  const rate = (2 * matrixSide ** 3) / medianOf(product);
  const batches = rows.length / batchSize;
  const sum = (of: (row: BenchRow) => number) => rows.reduce((total, row) => total + of(row), 0) / batches;
  const tokens = sum(({ inputIds }) => inputIds.length);
  // The first token of a row has nothing before it.
  const labelled = sum(({ labels }) => labels.slice(1).filter((label) => label !== -100).length);
  // Two products forward and four backward, over the half of the pairs that may see each other.
  const attention = 6 * counts.layers * counts.attended * sum(({ inputIds }) => inputIds.length ** 2);
  const operations = 6 * (counts.projections * tokens + counts.head * labelled) + attention;
  console.log(
    `\nmatrix rate ${(rate / 1e9).toFixed(0)} GFLOP/s; ${(operations / 1e9).toFixed(0)} GFLOP a step`,
  );
  for (const contender of contenders.filter((one) => one !== product)) {
    const share = operations / medianOf(contender) / rate;
    console.log(`${nameOf(contender).padEnd(44)} ${(100 * share).toFixed(1)} % of the matrix rate`);
  }
}

/** Gradient norms step by step and, where both sides train the same loss, how far they are apart at most. */
function printNorms(all: Contender[]): void {
  const [ours, ...others] = all.filter(({ checkpointing }) => checkpointing !== '');
  console.log('\ngradient norms, step by step');
  for (const other of ours?.loss === 'ce' ? others : []) {
    const gap = (key: 'gradNorm' | 'loss') =>
      Math.max(...other.steps.map((step, i) => Math.abs((ours?.steps[i]?.[key] ?? NaN) / step[key] - 1)));
    console.log(
      `  largest relative difference to ${nameOf(other)}: ` +
        `|grad| ${gap('gradNorm').toExponential(1)}, loss ${gap('loss').toExponential(1)}`,
    );
  }
  for (const one of [ours, ...others].filter((one) => one !== undefined)) {
    console.log(
      `  ${nameOf(one).padEnd(44)} ${one.steps
        .slice(0, 8)
        .map(({ gradNorm }) => gradNorm.toFixed(3))
        .join('  ')}`,
    );
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const counts = await benchModel(join(root, 'build', 'bench-model'), options.size);
  const steps = options.warmup + options.steps * options.blocks;
  const rows = join(root, 'build', 'bench-out', 'rows.json');
  await mkdir(dirname(rows), { recursive: true });
  await writeFile(rows, JSON.stringify(benchRows(steps, options.rows)));
  console.log(
    `${(counts.parameters / 1e6).toFixed(1)} M parameters, ${rowKinds[options.rows].text} a step, ${options.dtype}`,
  );

  const entered: Entrant[] = [];
  try {
    // Loaded one after the other: a peer that still loads would slow down its neighbour.
    const contenders: Contender[] = [];
    for await (const entrant of entrants(options, { model: counts.folder, rows, steps })) {
      entered.push(entrant);
      contenders.push({ ...entrant, ready: await entrant.peer.ready(), steps: [], peakBytes: 0 });
    }
    await race(contenders, options);
    print(contenders);
    printShare(contenders, counts, JSON.parse(await readFile(rows, 'utf8')) as BenchRow[]);
    if (contenders.length > 1) printNorms(contenders);
    const results = contenders.map((contender) => summary(contender, options, counts));
    await appendResults(join(root, 'bench', 'results.csv'), results);
  } finally {
    await Promise.all(entered.map(({ peer }) => peer.stop()));
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
