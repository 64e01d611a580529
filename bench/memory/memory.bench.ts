/**
 * Peak memory against the length of a row, with and without gradient checkpointing, each in a process of its own.
 * `tsx bench/memory/memory.bench.ts [--model examples/seed-lm] [--lengths 64,1024,2048,4096]`
 *
 * The first length is the floor (process, weights, optimizer, gradients), which is taken off the others.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/index.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'examples/seed-lm' },
    lengths: { type: 'string', default: '64,1024,2048,4096' },
  },
});
const script = fileURLToPath(new URL('train-once.ts', import.meta.url));

function peakMebibytes(length: string, flags: string[]): number {
  const args = ['--model', values.model, '--length', length, '--rows', '1', '--steps', '2', ...flags];
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8' });
  return (JSON.parse(output) as { peakBytes: number }).peakBytes / 2 ** 20;
}

const [floorLength = '64', ...lengths] = values.lengths.split(',');
const modes = { kept: [] as string[], recomputed: ['--checkpointing'] };
const floor = {
  kept: peakMebibytes(floorLength, []),
  recomputed: peakMebibytes(floorLength, ['--checkpointing']),
};
const rows = lengths.map((length) => {
  const kept = peakMebibytes(length, modes.kept) - floor.kept;
  const recomputed = peakMebibytes(length, modes.recomputed) - floor.recomputed;
  const perToken = (mebibytes: number) => ((mebibytes * 1024) / Number(length)).toFixed(0);
  return [length, kept.toFixed(0), perToken(kept), recomputed.toFixed(0), perToken(recomputed)];
});
console.log(
  `MiB above the peak of a row of ${floorLength} tokens (${floor.kept.toFixed(0)} MiB), ${values.model}, float32`,
);
console.log(renderTable(['tokens', 'kept', 'KiB/token', 'recomputed', 'KiB/token'], rows));
