/**
 * Seconds of the fused loss alone, with its gradients: 2,048 labelled tokens, hidden states of 576, a vocabulary of 49,152, in float32
 * and bfloat16, whole and in chunks. Arrays are checked and copied on the way in and out, as adaptiveLoss() does.
 *
 *   npm run bench:loss [-- --tokens 2048] [--rounds 5] [--note TEXT]
 */
import { parseArgs } from 'node:util';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { adaptiveLoss } from '../../src/loss/adaptive-loss.js';
import { appendMeasured } from '../step/append-results.js';
import { quantile } from '../step/quantile.js';
import { random } from '../step/random.js';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '2048' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    note: { type: 'string', default: '' },
  },
});
const [seq, hiddenSize, vocabSize] = [Number(values.tokens), 576, 49152];
const threads = await loadAddon().setThreads({ threads: Number(values.threads) });
const uniform = random(3);
const centred = (count: number, scale: number) =>
  Float32Array.from({ length: count }, () => scale * (2 * uniform() - 1));
const given = {
  ...{ hidden: centred(seq * hiddenSize, 1), weight: centred(vocabSize * hiddenSize, 0.05) },
  ...{ rows: 1, seq, hiddenSize, vocabSize, styles: ['both'] as const, topK: 8 },
  labels: Int32Array.from({ length: seq }, () => Math.floor(uniform() * vocabSize)),
};
const ways = (['float32', 'bfloat16'] as const).flatMap((dtype) =>
  [seq, 256].map((chunkTokens) => ({ dtype, chunkTokens, seconds: [] as number[], loss: NaN })),
);
// In turns, so that a machine that slows down slows down all.
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const way of ways) {
    const started = performance.now();
    const { loss } = await adaptiveLoss({ ...given, dtype: way.dtype, chunkTokens: way.chunkTokens });
    way.loss = loss;
    if (round > 0) way.seconds.push((performance.now() - started) / 1000);
  }
}
for (const { dtype, chunkTokens, seconds, loss } of ways) {
  const text = `${dtype}, ${chunkTokens} tokens at once`;
  console.log(`${text.padEnd(32)} ${quantile(seconds, 0.5).toFixed(3)} s   loss ${loss.toFixed(5)}`);
}
await appendMeasured(
  ways.map(({ dtype, chunkTokens, seconds, loss }) => ({
    ...{ what: `loss alone, ${chunkTokens} tokens at once`, loss: 'adaptive', dtype, seconds, tokens: seq },
    ...{ lastLoss: loss, rows: `1 row of ${seq}`, threads, note: values.note },
  })),
);
process.exit();
