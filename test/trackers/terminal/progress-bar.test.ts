import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'fast-string-width';
import { describe, expect, it } from 'vitest';
import { ProgressBar } from '../../../src/trackers/terminal/progress-bar.js';
import { events } from './events.js';

class Sink extends Writable {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns: number,
  ) {
    super({ decodeStrings: false });
  }
  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}

function show(isTTY: boolean, columns = 160, env: NodeJS.ProcessEnv = {}) {
  const stream = new Sink(isTTY, columns);
  return { stream, bar: new ProgressBar({ stream, interval: 0, env }) };
}

const lastLine = (text: string) =>
  stripVTControlCharacters(text)
    .split(/[\r\n]/)
    .at(-1)!;

describe('on a terminal', () => {
  it('keeps one live line with everything in it', () => {
    const { stream, bar } = show(true);
    bar.onEvent(events.start);
    bar.onEvent(events.step(9));
    bar.onEvent(events.step(10));
    expect(lastLine(stream.text)).toBe(
      `${'━'.repeat(24)} step 10/40 · loss 2.346 · lr 1.95e-5 · 1,235 tok/s · correct 61% in top-k 83% outside 17% · ETA 3 min 05 s`,
    );
    expect(stream.text.split('\n')).toHaveLength(2); // only the start line was ended
  });

  it.each([1, 8, 20, 40, 59, 60, 80, 100, 120, 200])('never draws wider than %i columns', (columns) => {
    const { stream, bar } = show(true, columns);
    bar.onEvent(events.start);
    bar.onEvent(events.step(10));
    expect(stringWidth(lastLine(stream.text))).toBeLessThanOrEqual(columns);
  });

  it('drops the least important fields first', () => {
    const line = (columns: number) => {
      const { stream, bar } = show(true, columns);
      bar.onEvent(events.start);
      bar.onEvent(events.step(10));
      return lastLine(stream.text);
    };
    expect(line(110)).not.toContain('lr');
    expect(line(110)).toContain('tok/s');
    expect(line(50)).toBe('step 10/40 · loss 2.346 · ETA 3 min 05 s');
    expect(line(30)).toBe('step 10/40 · loss 2.346');
  });

  it('prints warnings, evaluations and checkpoints above the line', () => {
    const { stream, bar } = show(true);
    bar.onEvent(events.start);
    bar.onEvent(events.step(10));
    bar.onEvent({ type: 'warning', code: 'X', message: 'Look out.' });
    bar.onEvent(events.evaluate);
    bar.onEvent({ type: 'save', step: 10, path: 'out/checkpoint-10' });
    const text = stripVTControlCharacters(stream.text);
    expect(text).toContain('\rwarning Look out.\n');
    expect(text).toContain('evaluation after step 20: loss 1.5 · perplexity 4.482 · correct 61% · 12 s\n');
    expect(text).toContain('saved out/checkpoint-10\n');
    expect(lastLine(text)).toContain('step 10/40');
  });

  it('shows how far the model is from its base, where that is measured', () => {
    const { stream, bar } = show(false);
    bar.onEvent(events.start);
    bar.onEvent({ ...events.log(10), divergence: 0.0123 });
    bar.onEvent({ ...events.evaluate, forgetting: 0.0312 });
    expect(stream.text).toContain('outside 17% · from base 0.0123 · ETA');
    expect(stream.text).toContain('correct 61% · forgetting 0.0312 · 12 s\n');
  });

  it('shows how far the base model is with its texts', () => {
    const texts = { type: 'texts', doing: 'writing', total: 1000 } as const;
    const [live, plain] = [show(true), show(false)];
    for (const { bar } of [live, plain]) {
      bar.onEvent({ ...texts, done: 64 });
      bar.onEvent({ ...texts, done: 1000 });
    }
    expect(stripVTControlCharacters(live.stream.text)).toContain(
      'the base model writes texts of its own: 64',
    );
    expect(plain.stream.text).toBe('the base model writes texts of its own: 1,000 of 1,000\n');
  });

  it('ends the line on close, once', async () => {
    const { stream, bar } = show(true);
    bar.onEvent(events.step(10));
    await bar.close();
    const { length } = stream.text;
    await bar.close();
    expect(stream.text).toHaveLength(length);
    expect(stream.text.endsWith('\n')).toBe(true);
  });

  it('uses no colour with NO_COLOR', () => {
    const { stream, bar } = show(true, 160, { NO_COLOR: '1' });
    bar.onEvent(events.step(10));
    expect(stream.text).not.toContain('\u001b[3');
  });

  it('shows what is not known as a dash', () => {
    const { stream, bar } = show(true);
    const step = events.step(10);
    const statistics = { ...step.statistics, total_tokens: 0 };
    bar.onEvent({ ...step, loss: NaN, tokensPerSecond: NaN, etaSeconds: Infinity, statistics });
    expect(lastLine(stream.text)).toContain(
      'loss – · lr 1.95e-5 · – tok/s · correct – in top-k – outside – · ETA –',
    );
  });
});

describe('elsewhere', () => {
  it.each([
    ['a pipe', false, {}],
    ['a dumb terminal', true, { TERM: 'dumb' }],
  ])('%s gets a plain line per log event', async (_name, isTTY, env) => {
    const { stream, bar } = show(isTTY, 20, env);
    bar.onEvent(events.start);
    for (let step = 1; step <= 10; step++) bar.onEvent(events.step(step));
    bar.onEvent(events.log(10));
    await bar.close();
    expect(stream.text).toBe(
      'run: 40 steps · 1,000 rows to train on, 50 to evaluate · 28,600,000 parameters · cpu in bfloat16 on 2 threads\n' +
        'step 10/40 · loss 2.346 · lr 1.95e-5 · 1,235 tok/s · correct 61% in top-k 83% outside 17% · ETA 3 min 05 s\n',
    );
  });
});

it.each([
  [30, 'activations of all 30 blocks are kept: they fit'],
  [12, 'activations of 12 of 30 blocks are kept, as many as fit; the others are recomputed'],
  [0, 'all 30 blocks are recomputed in backward: their activations do not fit'],
])('says at the start what gradientCheckpointing: auto chose: %i of 30 blocks', (kept, text) => {
  const { stream, bar } = show(false);
  const parts = { weights: 1, gradients: 1, optimizer: 1, activations: 1, lossChunk: 1, base: 1, total: 6 };
  bar.onEvent({ ...events.start, memory: { ...parts, available: 9, keptBlocks: { kept, all: 30 } } });
  expect(stream.text.trim().endsWith(text)).toBe(true);
});
