import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { MixProgress } from '../../src/events/dataset-report.js';
import { dataPrinter } from '../../src/trackers/terminal/data-printer.js';

const progress = (rows: number, done: number): MixProgress => ({
  dataset: '/data/rows.jsonl',
  style: 'ideas',
  split: 'train',
  rows,
  done,
  isCached: false,
});

function printed(isTTY: boolean) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns: 70 });
  let time = 0;
  const printer = dataPrinter({ stream, env: { NO_COLOR: '1', TERM: 'xterm' }, now: () => time });
  return {
    printer,
    at: (milliseconds: number, one: MixProgress) => {
      time = milliseconds;
      printer.onProgress(one);
    },
    text: () => (stream.read() as string | null) ?? '',
  };
}

describe('dataPrinter', () => {
  test('draws one live line on a terminal, no wider than it, and takes it away', () => {
    const { printer, at, text } = printed(true);
    at(100, progress(10, 0.01)); // too early to say anything
    expect(text()).toBe('');
    at(400, progress(12_345, 0.5));
    expect(text()).toBe(
      `\r\u001b[2K${'━'.repeat(24)} tokenizing rows.jsonl: 12,345 rows, 50%`.slice(0, 5 + 69),
    );
    at(410, progress(12_400, 0.51)); // too soon after it
    expect(text()).toBe('');
    printer.clear();
    printer.clear();
    expect(text()).toBe('\r\u001b[2K');
  });

  test('prints a plain line every ten seconds elsewhere', () => {
    const { printer, at, text } = printed(false);
    at(9000, progress(1, 0.1));
    at(10_500, progress(2000, 0.2));
    at(15_000, progress(3000, 0.3));
    printer.clear();
    expect(text()).toBe('tokenizing rows.jsonl: 2,000 rows, 20%\n');
  });
});
