/**
 * Peak memory against the length of a row, with and without gradient checkpointing, each in a process of its own.
 * `tsx bench/memory/memory.bench.ts [--layers 24] [--lengths 64,512,1024,2048,4096]`
 *
 * The model is deep and its vocabulary small, so that the blocks are what counts. The first length is the floor (process,
 * weights, optimizer, gradients), which is taken off the others.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/index.js';

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '24' },
    lengths: { type: 'string', default: '64,512,1024,2048,4096' },
  },
});
const config = {
  model_type: 'llama',
  vocab_size: 1024,
  hidden_size: 256,
  intermediate_size: 704,
  num_hidden_layers: Number(values.layers),
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  max_position_embeddings: 8192,
};
const model = mkdtempSync(join(tmpdir(), 'memory-bench-'));
process.on('exit', () => rmSync(model, { recursive: true, force: true }));
writeFileSync(join(model, 'config.json'), JSON.stringify(config));
const script = fileURLToPath(new URL('train-once.ts', import.meta.url));

function peakMebibytes(length: string, isRecomputed: boolean): number {
  const args = ['--model', model, '--length', length, '--rows', '1', '--steps', '2'];
  if (isRecomputed) args.push('--checkpointing');
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8' });
  return (JSON.parse(output) as { peakBytes: number }).peakBytes / 2 ** 20;
}

const [floorLength = '64', ...lengths] = values.lengths.split(',');
const floor = { kept: peakMebibytes(floorLength, false), recomputed: peakMebibytes(floorLength, true) };
const rows = lengths.map((length) => {
  const kept = peakMebibytes(length, false) - floor.kept;
  const recomputed = peakMebibytes(length, true) - floor.recomputed;
  const perToken = (mebibytes: number) => ((mebibytes * 1024) / Number(length)).toFixed(0);
  const share = `${((100 * recomputed) / kept).toFixed(0)} %`;
  return [length, kept.toFixed(0), perToken(kept), recomputed.toFixed(0), perToken(recomputed), share];
});
console.log(
  `MiB above the peak of a row of ${floorLength} tokens (${floor.kept.toFixed(0)} MiB), ${values.layers} blocks, float32`,
);
console.log(renderTable(['tokens', 'kept', 'KiB/token', 'recomputed', 'KiB/token', 'share'], rows));
