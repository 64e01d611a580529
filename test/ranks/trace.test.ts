import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TraceSpan } from '../../src/engine/addon.js';
import { hiddenShare, type TraceEvent, type TraceFile } from '../../src/trainer/step/trace-events.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);
const layers = 3;
// Its blocks and its tables are several buckets.
const dir = writeTinyModel(tempDir(), {
  ...{ vocab_size: 4096, hidden_size: 128, intermediate_size: 512, num_hidden_layers: layers },
});
const args = { batchSize: 2, learningRate: 1e-3, ddpTimeout: 60, gradientAccumulationSteps: 2 };
const timeout = 300_000;

interface Part {
  name: string;
  start: number;
  end: number;
  layer: number;
  bytes: number;
}

/** What each rank traced, step by step. */
interface RankTrace {
  passes: Part[];
  blocks: Part[];
  sums: Part[];
}

async function traced(size: number, maxSteps: number, file = join(tempDir(), 'trace.json')) {
  const run: RankRun = { dir, args: { ...args, maxSteps }, rows: 48 };
  const env = () => ({ ADAPTIVE_TRAINER_TRACE: file });
  const ranks = await startRanks(program, size, () => [JSON.stringify(run)], { env });
  const results = await Promise.all(ranks.map(({ result }) => result));
  return { file, results };
}

function readTrace(file: string, size: number): { whole: TraceFile; ranks: RankTrace[] } {
  const whole = JSON.parse(readFileSync(file, 'utf8')) as TraceFile;
  const ranks = Array.from({ length: size }, (_, rank) => {
    const own = whole.traceEvents.filter(({ pid }) => pid === rank);
    const ends = new Map(own.filter(({ ph }) => ph === 'e').map((event) => [event.id, event]));
    const part = ({ name, ts, dur, id, args }: TraceEvent): Part => ({
      ...{ name, start: ts!, end: id === undefined ? ts! + dur! : ends.get(id)!.ts! },
      ...{ layer: args!['layer'] as number, bytes: (args!['bytes'] as number | undefined) ?? 0 },
    });
    const of = (cat: string) => own.filter((event) => event.cat === cat && event.ph !== 'e').map(part);
    return { passes: of('pass'), blocks: of('block'), sums: of('sum').filter(({ layer }) => layer > -2) };
  });
  return { whole, ranks };
}

const within = (parts: readonly Part[], { start, end }: { start: number; end: number }) =>
  parts.filter((part) => part.start >= start && part.end <= end);

describe('a trace of two ranks', () => {
  test(
    'has the blocks of each backward pass, and sums that begin once theirs are whole',
    { timeout },
    async () => {
      const { file, results } = await traced(2, 6);
      for (const { status, stdout } of results) expect(status, stdout).toBe(0);
      const { whole, ranks } = readTrace(file, 2);
      for (const { passes, blocks, sums } of ranks) {
        // Four steps of two micro-batches.
        const step = ['forward', 'backward', 'forward', 'backward', 'wait for sums', 'optimizer'];
        expect(passes.map(({ name }) => name)).toEqual([step, step, step, step].flat());
        passes.slice(1).forEach((pass, i) => expect(pass.start).toBeGreaterThanOrEqual(passes[i]!.end));
        const names = ['head', 'block 2', 'block 1', 'block 0', 'below the blocks'];
        const backwards = passes.filter(({ name }) => name === 'backward');
        for (const backward of backwards) {
          const parts = within(blocks, backward);
          expect(parts.map(({ name }) => name)).toEqual(names);
          parts.slice(1).forEach((part, i) => expect(part.start).toBe(parts[i]!.end));
        }
        const optimizers = passes.filter(({ name }) => name === 'optimizer');
        optimizers.forEach((optimizer, i) => {
          const last = backwards[2 * i + 1]!;
          const own = sums.filter(({ start }) => start > backwards[2 * i]!.start && start < optimizer.start);
          // Nothing is sent before the last micro-batch of the window.
          for (const { start } of own) expect(start).toBeGreaterThan(last.start);
          for (const { end } of own) expect(end).toBeLessThanOrEqual(optimizer.start);
          // In order from the output down, each once its layer is whole and before the next one is.
          const order = own.map(({ layer }) => layer);
          expect(order).toEqual(order.toSorted((a, b) => b - a));
          expect(order[0]).toBe(layers);
          expect(order.at(-1)).toBe(-1);
          const parts = within(blocks, last);
          for (const { layer, start } of own) {
            const at = parts.findIndex((block) => block.layer === layer);
            expect(start).toBeGreaterThanOrEqual(parts[at]!.end);
            if (at + 1 < parts.length && layer > -1) expect(start).toBeLessThanOrEqual(parts[at + 1]!.end);
          }
          // All but those of the embedding begin while the backward pass goes on.
          for (const { layer, start } of own) if (layer >= 0) expect(start).toBeLessThan(last.end);
          expect(own.filter(({ layer }) => layer >= 0).length).toBeGreaterThanOrEqual(layers);
        });
        // Every gradient once a step: two tables, the blocks and the last norm, in float32.
        const table = 4096 * 128;
        const block = 128 * 128 * 3 + 3 * 128 * 512 + 2 * 128;
        const bytes = sums.reduce((sum, one) => sum + one.bytes, 0);
        expect(bytes).toBe(4 * 4 * (2 * table + layers * block + 128));
      }
      // What all sums of one rank are, those of the other are, too.
      const shapes = ranks.map(({ sums }) => sums.map(({ layer, bytes }) => [layer, bytes]));
      expect(shapes[1]).toEqual(shapes[0]);
      for (const share of whole.otherData.hiddenShare) {
        expect(share).toBeGreaterThan(0);
        expect(share).toBeLessThanOrEqual(1);
      }
    },
  );

  test('of one process has no sums, and ends with a shorter run', { timeout }, async () => {
    const { file } = await traced(1, 2);
    const { whole, ranks } = readTrace(file, 1);
    const step = ['forward', 'backward', 'forward', 'backward', 'optimizer'];
    expect(ranks[0]!.passes.map(({ name }) => name)).toEqual([...step, ...step]);
    expect(ranks[0]!.sums).toEqual([]);
    expect(whole.otherData.hiddenShare).toEqual([null]);
  });

  test('that cannot be written ends the run with an error that says so', { timeout }, async () => {
    const { results } = await traced(2, 6, join(tempDir(), 'none', 'trace.json'));
    const found = results.map(({ stdout }) => JSON.parse(stdout) as { code: string; message: string });
    expect(found[0]).toMatchObject({ code: 'INVALID_INPUT' });
    expect(found[0]!.message).toContain('ADAPTIVE_TRAINER_TRACE');
    expect(found[1]).toMatchObject({ code: 'RANKS_FAILED' });
  });
});

describe('the share of sums that backward hides', () => {
  const span = (category: 'pass' | 'sum', start: number, end: number, layer = -2): TraceSpan => ({
    ...{ name: category === 'pass' ? 'backward' : 'sum', category, start, end, layer, bytes: 8 },
  });

  test.each([
    ['all of one inside', [span('pass', 0, 10), span('sum', 2, 6, 1)], 1],
    ['none of one after', [span('pass', 0, 10), span('sum', 12, 16, 1)], 0],
    ['half of one that goes on', [span('pass', 0, 10), span('sum', 8, 12, 1)], 0.5],
    ['a moment of two once', [span('pass', 0, 10), span('sum', 4, 12, 1), span('sum', 6, 14, 0)], 0.6],
    ['one within another', [span('pass', 0, 10), span('sum', 5, 15, 1), span('sum', 6, 8, 0)], 0.5],
    ['sums of counts not', [span('pass', 0, 10), span('sum', 12, 14), span('sum', 1, 2, 0)], 1],
    ['nothing where there are none', [span('pass', 0, 10)], undefined],
  ])('%s', (_, spans, share) => {
    if (share === undefined) expect(hiddenShare(spans)).toBeUndefined();
    else expect(hiddenShare(spans)).toBeCloseTo(share, 12);
  });
});
