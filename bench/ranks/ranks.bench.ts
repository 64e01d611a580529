/**
 * How two ranks of one thread each compare with one process of one thread, on the same rows per rank: on this machine, and as two
 * network namespaces over links of several rates, with gradients summed during the backward pass and after it. Beside each
 * stands what docs/ranks.md works out from what the run computes and the link's rate: how long it waits for sums.
 *
 *     npm run bench:ranks [-- --links 100mbit,1gbit] [--steps 4] [--window 2] [--check 20] [--trace FILE]
 *
 * --check ends with status 1 where a step over a link is further from what is worked out than so many percent. --trace keeps
 * the trace of the overlapped run over the first link.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TraceEvent, TraceFile } from '../../src/trainer/step/trace-events.js';
import { startRanks, type StartOptions } from '../../test/ranks/run-ranks.js';
import { TwoHosts } from '../../test/ranks/two-hosts.js';
import { appendMeasured } from '../step/append-results.js';
import { quantile } from '../step/quantile.js';
import {
  afterwardsSeconds,
  backwardParts,
  bytesPerSecond,
  exposedSeconds,
  payloadShare,
  type ModelShape,
} from './step-model.js';

const { values } = parseArgs({
  options: {
    links: { type: 'string', default: '100mbit,1gbit' },
    steps: { type: 'string', default: '4' },
    window: { type: 'string', default: '2' },
    check: { type: 'string' },
    trace: { type: 'string' },
  },
});
const links = values.links.split(',').filter((rate) => rate !== '');
links.forEach(bytesPerSecond);
const program = new URL('rank.ts', import.meta.url);
const shape: ModelShape = {
  layers: 6,
  hidden: 384,
  intermediate: 1024,
  keyValue: 384,
  vocab: 4096,
  tied: false,
};
const modes = ['overlapped', 'afterwards'] as const;
type Mode = (typeof modes)[number];

interface Measured {
  seconds: number[];
  tokens: number;
  parameters: number;
  trace: TraceFile;
}

const folder = mkdtempSync(join(tmpdir(), 'adaptive-trainer-bench-'));
const config = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], vocab_size: shape.vocab },
  ...{ hidden_size: shape.hidden, intermediate_size: shape.intermediate, num_hidden_layers: shape.layers },
  ...{ num_attention_heads: 6, num_key_value_heads: 6, rms_norm_eps: 1e-6, rope_theta: 10000 },
  ...{ tie_word_embeddings: shape.tied, max_position_embeddings: 512 },
};
writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
const traceFile = join(folder, 'trace.json');

async function measure(size: number, mode: Mode, options: StartOptions = {}): Promise<Measured> {
  const env = (rank: number) => ({ ...options.env?.(rank), ADAPTIVE_TRAINER_TRACE: traceFile });
  const args = [folder, mode, values.steps, values.window];
  const ranks = await startRanks(program, size, () => args, { ...options, env });
  const results = await Promise.all(ranks.map(({ result }) => result));
  for (const { stderr, status } of results) if (status !== 0) throw new Error(stderr);
  const trace = JSON.parse(readFileSync(traceFile, 'utf8')) as TraceFile;
  return { ...(JSON.parse(results[0]!.stdout) as Omit<Measured, 'trace'>), trace };
}

const median = (seconds: readonly number[]) => quantile(seconds, 0.5);

/** Rank 0's seconds in passes of a name, of the last one of each step; the first step is left out, as in the measured ones. */
function lastPasses({ traceEvents }: TraceFile, name: string): number {
  const own = traceEvents.filter(({ pid, ph }) => pid === 0 && ph === 'X');
  const steps: TraceEvent[][] = [[]];
  for (const event of own.sort((a, b) => a.ts! - b.ts!)) {
    steps.at(-1)!.push(event);
    if (event.name === 'optimizer') steps.push([]);
  }
  const found = steps.slice(1).map((step) => step.filter((event) => event.name === name).at(-1)?.dur);
  const passes = found.filter((dur) => dur !== undefined);
  return passes.length === 0 ? 0 : median(passes) / 1e6;
}

const one = await measure(1, 'overlapped');
const single = one.tokens / median(one.seconds);
const efficiencyOf = ({ seconds, tokens }: Measured) => tokens / median(seconds) / (2 * single);
const percent = (share: number) => `${(100 * share).toFixed(0)} %`.padStart(6);
const hiddenOf = ({ trace }: Measured) => trace.otherData.hiddenShare[0];

async function note(what: string, found: Measured, ranks: number, more = ''): Promise<void> {
  await appendMeasured([
    {
      what: `ranks, ${what}`,
      ...{ seconds: found.seconds, tokens: found.tokens, parameters: found.parameters, threads: 1 },
      ...{
        rows: `2 rows of 256 per rank, ${values.window} micro-batches`,
        dtype: 'float32',
        loss: 'adaptive',
      },
      note: `${ranks} ranks${more}`,
    },
  ]);
}

console.log(
  `${(one.parameters / 1e6).toFixed(1)} M parameters, ${one.tokens} tokens per rank and step, 1 thread per rank`,
);
console.log(`one process: ${median(one.seconds).toFixed(3)} s, ${single.toFixed(0)} tokens/s`);
await note('one process', one, 1);
const here = {} as Record<Mode, Measured>;
for (const mode of modes) {
  here[mode] = await measure(2, mode);
  const hidden = hiddenOf(here[mode]);
  console.log(
    `2 ranks of this machine, ${mode}: ${median(here[mode].seconds).toFixed(3)} s, ${percent(efficiencyOf(here[mode])).trim()} of twice one process` +
      (hidden == null ? '' : `, ${percent(hidden).trim()} of the sums hidden`),
  );
  await note(
    `this machine, ${mode}`,
    here[mode],
    2,
    `; efficiency ${percent(efficiencyOf(here[mode])).trim()}`,
  );
}
const hosts = new TwoHosts('bench', '10.213.8');
const missing = links.length > 0 ? hosts.open() : undefined;
let isOff = false;
try {
  if (missing !== undefined) console.log(`No links are measured: ${missing}.`);
  else await measureLinks();
} finally {
  hosts.close();
  rmSync(folder, { recursive: true });
}
process.exitCode = isOff ? 1 : 0;

async function measureLinks(): Promise<void> {
  console.log(`\nlink       sums         a step    worked out   efficiency  worked out  hidden`);
  for (const [index, rate] of links.entries()) {
    const cannot = hosts.throttle(rate);
    if (cannot !== undefined) throw new Error(cannot);
    for (const mode of modes) {
      const found = await measure(2, mode, hosts.options());
      if (index === 0 && mode === 'overlapped' && values.trace !== undefined)
        copyFileSync(traceFile, values.trace);
      // Its own computing, which another run does in other time where the machine is busy, and the waiting worked out.
      const parts = backwardParts(shape, lastPasses(found.trace, 'backward'));
      const bandwidth = bytesPerSecond(rate) * payloadShare;
      const waiting = (mode === 'overlapped' ? exposedSeconds : afterwardsSeconds)(parts, 2, bandwidth);
      const seconds = median(found.seconds);
      const expected = seconds - lastPasses(found.trace, 'wait for sums') + waiting;
      const hidden = hiddenOf(found);
      const worked = found.tokens / expected / (2 * single);
      console.log(
        `${rate.padEnd(10)} ${mode.padEnd(12)} ${seconds.toFixed(3)} s   ${expected.toFixed(3)} s     ${percent(efficiencyOf(found))}      ${percent(worked)}      ${hidden == null ? '' : percent(hidden)}`,
      );
      await note(
        `link of ${rate}, ${mode}`,
        found,
        2,
        `; efficiency ${percent(efficiencyOf(found)).trim()}, worked out ${percent(worked).trim()}`,
      );
      const tolerance = Number(values.check ?? Infinity) / 100;
      if (Math.abs(seconds / expected - 1) > tolerance) {
        console.log(`           further from what is worked out than ${values.check} %`);
        isOff = true;
      }
    }
  }
}
