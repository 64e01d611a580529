import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import type { StartEvent, WarningEvent } from '../../src/events/training-event.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import { plannedMemory } from '../../src/trainer/memory/check-memory.js';
import { fittingBlocks, shareLeft } from '../../src/trainer/memory/fitting-blocks.js';
import { memoryEstimate } from '../../src/trainer/memory/memory-estimate.js';
import type { PlannedRun } from '../../src/trainer/memory/planned-run.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const mebibyte = 2 ** 20;
const decoder = readDecoderConfig({ ...tinyConfig, hidden_size: 512, num_hidden_layers: 12 }, 'config.json');
const inputOf = (gradientCheckpointing: boolean | 'auto', more: Partial<PlannedRun> = {}): PlannedRun => ({
  ...{
    decoder,
    parameters: 4e7,
    tokens: 2048,
    labelledTokens: 1024,
    base: 1e8,
    available: 64 * 2 ** 30,
    held: 1e8,
  },
  ...{ precision: 'fp32', bfloat16Instructions: false },
  args: parseTrainerConfig({ args: { gradientCheckpointing } }).args,
  ...more,
});

describe('the blocks that fit', () => {
  it('are as many as leave a quarter of the room, and one more would not', () => {
    const of = (keptBlocks: number, room: number) => {
      const { activations, lossChunk } = memoryEstimate({
        ...inputOf('auto', { available: room }),
        keptBlocks,
      });
      return activations + lossChunk;
    };
    const seen = new Set<number>();
    for (let room = 0; room < 2000 * mebibyte; room += 10 * mebibyte) {
      const kept = fittingBlocks(inputOf('auto', { available: room }), room);
      if (kept > 0) expect(of(kept, room)).toBeLessThanOrEqual((1 - shareLeft) * room);
      if (kept < 12) expect(of(kept + 1, room)).toBeGreaterThan((1 - shareLeft) * room);
      seen.add(kept);
    }
    expect([...seen]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('are all or none where the setting says so, whatever is free', () => {
    expect([fittingBlocks(inputOf(false), 0), fittingBlocks(inputOf(true), 2 ** 40)]).toEqual([12, 0]);
  });

  it('make the estimate that of false with all of them, and of true with none', () => {
    const auto = (keptBlocks: number) => memoryEstimate({ ...inputOf('auto'), keptBlocks });
    expect(auto(12)).toEqual(memoryEstimate(inputOf(false)));
    expect(auto(0)).toEqual(memoryEstimate(inputOf(true)));
    // The last block alone costs nothing: with all of them recomputed it is the first that is, and its input is kept, too.
    const totals = Array.from({ length: 12 }, (_, index) => auto(index + 1).total);
    expect(totals[0]).toBeLessThan(auto(0).total);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
  });

  it('are in the report of a run, whose total fits into what is free', () => {
    const { keptBlocks, available } = plannedMemory(inputOf('auto'));
    expect(keptBlocks).toEqual({ kept: 12, all: 12 });
    expect(available).toBe(64 * 2 ** 30);
    expect(plannedMemory(inputOf(true)).keptBlocks).toBeUndefined();
    const tight = plannedMemory(inputOf('auto', { available: 800 * mebibyte }));
    expect(tight.keptBlocks!.kept).toBeLessThan(12);
    expect(tight.total).toBeLessThan(800 * mebibyte + 1e8);
  });
});

interface Seen {
  losses: number[];
  gradNorms: number[];
  warnings: WarningEvent[];
  code: string;
  keptBlocks?: { kept: number; all: number };
}

describe("gradientCheckpointing: 'auto'", () => {
  let dir: string;
  beforeAll(() => {
    const shape = { hidden_size: 64, intermediate_size: 512, num_hidden_layers: 16, num_attention_heads: 2 };
    dir = writeTinyModel(tempDir(), shape);
  });

  it('is the default, keeps what fits, says so at the start, and has the numbers of true and of false', async () => {
    const trainDataset = trainingRows(12, tinyConfig.vocab_size);
    let start: StartEvent | undefined;
    const callbacks = [{ onStart: (event: StartEvent) => void (start = event) }];
    const run = (args: object) => trainRun(dir, { trainDataset, args, callbacks });
    const chosen = await run({ gradientCheckpointing: undefined });
    expect(start!.memory!.keptBlocks).toEqual({ kept: 16, all: 16 });
    const { trainingConfig } = start!.config as { trainingConfig: object };
    expect(trainingConfig).toMatchObject({ gradientCheckpointing: 'auto' });
    for (const gradientCheckpointing of [true, false]) {
      const told = await run({ gradientCheckpointing });
      expect(start!.memory!.keptBlocks).toBeUndefined();
      expect([losses(told), gradNorms(told)]).toEqual([losses(chosen), gradNorms(chosen)]);
    }
  });

  const train = async (setting: boolean | 'auto', bytes: number): Promise<Seen> => {
    const child = new URL('kept-blocks.child.ts', import.meta.url);
    const { status, stdout, stderr } = await runChild(child, [dir, JSON.stringify(setting), String(bytes)]);
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Seen;
  };

  it.runIf(existsSync('/usr/bin/prlimit'))(
    'goes on with fewer blocks where memory is taken while it runs, and the numbers stay',
    { timeout: 120_000 },
    async () => {
      const [free, tight, whole] = [
        await train('auto', 0),
        await train('auto', 160 * mebibyte),
        await train(false, 160 * mebibyte),
      ];
      expect([free.code, free.warnings, free.keptBlocks]).toEqual(['', [], { kept: 16, all: 16 }]);
      expect(tight.code).toBe('');
      expect(tight.keptBlocks).toEqual(free.keptBlocks);
      expect(tight.warnings.map(({ code }) => code)).toEqual(['FEWER_BLOCKS_KEPT']);
      expect(tight.warnings[0]!.message).toMatch(
        /in step 3 the activations of \d+ of 16 blocks were kept in place of 16/,
      );
      expect([tight.losses, tight.gradNorms]).toEqual([free.losses, free.gradNorms]);
      // The limit is a real one.
      expect(whole.code).toBe('OUT_OF_MEMORY');
    },
  );
});
