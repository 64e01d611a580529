/**
 * New tokens per second of this library and of transformers' generate, on one model and the same prompts, greedily.
 *
 *   npm run bench:decode                          28.6 M parameters; float32 and bfloat16, 1 and 8 prompts
 *   npm run bench:decode -- --size 135m           a larger one
 *   npm run bench:decode -- --model FOLDER        another model
 *   npm run bench:decode -- --prompt 400 --tokens 8   longer prompts (at least 400 tokens each; default 24)
 *   npm run bench:decode -- --python PATH         a Python that has transformers; without, ours alone
 *
 * The two take turns (A B B A …), one thread pool at a time. Medians and their ratio are what to read. Prompts have
 * different lengths; transformers pads them on the left.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CausalLM } from '../../src/index.js';
import { benchModel, modelSizes } from '../step/bench-model.js';
import { quantile } from '../step/quantile.js';
import { random } from '../step/random.js';

const here = dirname(fileURLToPath(import.meta.url));
const dtypes = ['float32', 'bfloat16'] as const;

/** Writes `prompts` on, and tells how long it took and what came. */
type Writer = (
  dtype: (typeof dtypes)[number],
  prompts: number[][],
) => Promise<{ seconds: number; tokens: number[][] }>;

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    size: { type: 'string', default: '' },
    python: { type: 'string' },
    tokens: { type: 'string', default: '64' },
    prompt: { type: 'string', default: '24' },
    rounds: { type: 'string', default: '4' },
    batches: { type: 'string', default: '1,8' },
    threads: { type: 'string', default: '2' },
  },
});
const newTokens = Number(values.tokens);
process.env['OMP_NUM_THREADS'] ??= values.threads;

function promptsOf(count: number, vocabSize: number): number[][] {
  const uniform = random(7);
  return Array.from({ length: count }, (_, row) =>
    Array.from(
      { length: Number(values.prompt) + ((row * 13) % 40) },
      () => 3 + Math.floor(uniform() * (vocabSize - 3)),
    ),
  );
}

async function ours(folder: string): Promise<{ write: Writer; vocabSize: number; dispose: () => void }> {
  const models = await Promise.all(dtypes.map((dtype) => CausalLM.fromPretrained(folder, { dtype })));
  const write: Writer = async (dtype, prompts) => {
    const model = models[dtypes.indexOf(dtype)]!;
    const begin = performance.now();
    const tokens = await model
      .generateBatch(prompts, { maxNewTokens: newTokens, stopTokenIds: [] })
      .collect();
    return { seconds: (performance.now() - begin) / 1000, tokens };
  };
  return {
    write,
    vocabSize: models[0]!.vocabSize,
    dispose: () => models.forEach((model) => model.dispose()),
  };
}

async function transformers(python: string, folder: string): Promise<{ write: Writer; stop: () => void }> {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false' };
  const child = spawn(python, [join(here, 'generate_peer.py'), folder, String(newTokens), values.threads], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  const answer = async () => {
    const [line] = (await once(lines, 'line')) as [string];
    return JSON.parse(line) as { seconds: number; tokens: number[][] };
  };
  await answer();
  const write: Writer = async (dtype, prompts) => {
    const answered = answer();
    child.stdin.write(`${JSON.stringify({ dtype, prompts })}\n`);
    return answered;
  };
  return { write, stop: () => child.stdin.end() };
}

async function main(): Promise<void> {
  const parent = join(here, '..', '..', 'build', 'bench-model');
  const size = modelSizes.find((one) => one === values.size) ?? modelSizes[0]!;
  const folder = values.model ?? (await benchModel(parent, size)).folder;
  const { write, vocabSize, dispose } = await ours(folder);
  const peer = values.python === undefined ? undefined : await transformers(values.python, folder);
  const writers: [string, Writer][] = [['adaptive-trainer', write]];
  if (peer) writers.push(['transformers', peer.write]);
  for (const dtype of dtypes) {
    for (const count of values.batches.split(',').map(Number)) {
      const prompts = promptsOf(count, vocabSize);
      const seconds = new Map<string, number[]>();
      const written = new Map<string, number[][]>();
      for (let round = 0; round <= Number(values.rounds); round++) {
        for (const [name, write] of round % 2 === 0 ? writers : writers.toReversed()) {
          const result = await write(dtype, prompts);
          written.set(name, result.tokens);
          if (round > 0) seconds.set(name, [...(seconds.get(name) ?? []), result.seconds]);
          // The other's threads wait a while before they sleep.
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      }
      const speeds = writers.map(([name]) => (count * newTokens) / quantile(seconds.get(name)!, 0.5));
      const shown = writers.map(([name], at) => `${name} ${speeds[at]!.toFixed(1)} tokens/s`).join(', ');
      const [own, others] = writers.map(([name]) => written.get(name)!);
      const same = others && own!.map((row, at) => row.findIndex((id, i) => id !== others[at]![i]));
      console.log(
        `${dtype.padEnd(9)} ${count} prompts: ${shown}` +
          (same
            ? `, ratio ${(speeds[0]! / speeds[1]!).toFixed(2)}, tokens alike before the first difference ` +
              same.map((at) => (at < 0 ? newTokens : at)).join(' ')
            : ''),
      );
    }
  }
  peer?.stop();
  dispose();
}

await main();
