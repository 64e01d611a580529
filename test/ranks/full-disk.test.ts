import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);

// No file may grow beyond 128 KiB, as on a disk that is full; what the ranks share out takes more.
const limited = ['bash', '-c', 'ulimit -f 128; exec "$@"', 'limited'];

test.runIf(process.platform === 'linux')(
  'a disk that is full while rank 0 gathers ends all ranks, with the file and the reason told',
  { timeout: 300_000 },
  async () => {
    const dir = writeTinyModel(tempDir(), { vocab_size: 512, hidden_size: 128, intermediate_size: 256 });
    const outputDir = join(tempDir(), 'run');
    const args = { numEpochs: 1, batchSize: 4, zeroStage: 2, saveStrategy: 'steps', saveSteps: 1 };
    const run = { dir, outputDir, rows: 24, args: { ...args, onSaveError: 'stop' } } satisfies RankRun;
    const ranks = await startRanks(program, 2, () => [JSON.stringify(run)], {
      prefix: (rank) => (rank === 0 ? limited : []),
    });
    const [first, second] = await Promise.all(ranks.map(({ result }) => result));
    expect([first!.status, second!.status]).toEqual([1, 1]);
    const told = JSON.parse(first!.stdout) as { code: string; message: string };
    expect(told.message).toContain('gathered.tmp');
    expect(told.message).toMatch(/File too large|EFBIG/);
    expect(JSON.parse(second!.stdout)).toMatchObject({ code: 'RANKS_FAILED', details: { rank: 0 } });
    expect(existsSync(join(outputDir, 'gathered.tmp'))).toBe(false);
  },
);
