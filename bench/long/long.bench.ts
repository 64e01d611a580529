/**
 * One row of many tokens: seconds and memory of loss and gradients, beside what the operations predict.
 *
 *   npm run bench:long                       4,096 to 32,768 tokens, a model of width 256 and four layers
 *   npm run bench:long -- --window 512       the same with a sliding window: costs its window only
 *   npm run bench:long -- --dtype bfloat16
 *
 * Each length is measured in a process of its own, for its peak. The prediction is the speed of the shortest row: its
 * operations a second, for all that the length adds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CausalLM } from '../../src/index.js';
import { random } from '../step/random.js';

const shape = { hidden: 256, inner: 768, layers: 4, heads: 4, kvHeads: 2, headDim: 64, vocab: 1024 };

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '4096,8192,16384,32768' },
    window: { type: 'string', default: '0' },
    dtype: { type: 'string', default: 'float32' },
    repeats: { type: 'string', default: '2' },
    once: { type: 'boolean', default: false },
  },
});
const window = Number(values.window);

/** Multiplications and additions of a forward and a backward pass. */
function operations(tokens: number): number {
  const { hidden, inner, layers, heads, kvHeads, headDim, vocab } = shape;
  const block = hidden * headDim * (2 * heads + 2 * kvHeads) + 3 * hidden * inner;
  const seen = window > 0 && window < tokens ? window * (tokens - window / 2) : (tokens * tokens) / 2;
  // Two products of queries and keys forward, five backward.
  return 6 * tokens * (layers * block + hidden * vocab) + 2 * 7 * seen * headDim * heads * layers;
}

async function measure(tokens: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-long-'));
  const config = {
    architectures: ['MistralForCausalLM'],
    model_type: 'mistral',
    hidden_size: shape.hidden,
    intermediate_size: shape.inner,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    vocab_size: shape.vocab,
    max_position_embeddings: 65536,
    rms_norm_eps: 1e-5,
    sliding_window: window > 0 ? window : null,
    tie_word_embeddings: true,
  };
  try {
    await writeFile(join(dir, 'config.json'), JSON.stringify(config));
    const dtype = values.dtype === 'bfloat16' ? 'bfloat16' : 'float32';
    const model = await CausalLM.fromConfig(dir, { dtype });
    const uniform = random(3);
    const row = Array.from({ length: tokens }, () => Math.floor(uniform() * shape.vocab));
    // A short row first: memory and time of what does not grow.
    await model.lossAndGradients([row.slice(0, 128)]);
    const before = process.resourceUsage().maxRSS;
    let best = Infinity;
    for (let i = 0; i < Number(values.repeats); i++) {
      const begin = performance.now();
      await model.lossAndGradients([row]);
      best = Math.min(best, (performance.now() - begin) / 1000);
    }
    console.log(JSON.stringify({ seconds: best, kib: process.resourceUsage().maxRSS - before }));
    model.dispose();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function main(): void {
  const self = fileURLToPath(import.meta.url);
  let rate = 0;
  console.log('tokens   seconds   operations/s   of the prediction   KiB a token');
  for (const tokens of values.tokens.split(',').map(Number)) {
    const own = ['--once', '--tokens', String(tokens), '--window', values.window, '--dtype', values.dtype];
    const args = ['--import', 'tsx', self, ...own, '--repeats', values.repeats];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (!stdout.startsWith('{')) throw new Error(stderr);
    const { seconds, kib } = JSON.parse(stdout) as { seconds: number; kib: number };
    const speed = operations(tokens) / seconds;
    rate ||= speed;
    console.log(
      `${String(tokens).padStart(6)} ${seconds.toFixed(3).padStart(9)} ${(speed / 1e9).toFixed(0).padStart(10)} G` +
        `${(rate / speed).toFixed(2).padStart(18)}${(kib / tokens).toFixed(1).padStart(18)}`,
    );
  }
}

if (values.once) await measure(Number(values.tokens));
else main();
