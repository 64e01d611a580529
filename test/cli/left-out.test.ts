import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

const good = Array.from({ length: 6 }, (_, i) => ({ messages: chat(`q${i}`, `a${i}`) }));
const lines = [
  ...good.map((row) => JSON.stringify(row)),
  JSON.stringify({ messages: chat('q', 'long '.repeat(200)) }),
  JSON.stringify({ messages: [{ role: 'user', content: 'nobody answers' }] }),
  JSON.stringify({ messages: chat('q', { no: 'text' }) }),
  '{"messages":',
];

function chat(user: string, assistant: unknown) {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
}

let config: Record<string, unknown>;
let rows: string;
beforeAll(() => {
  const folder = tempDir();
  const model = writeTinyModel(join(folder, 'model'), { vocab_size: 4096 });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(model, name));
  rows = join(folder, 'rows.jsonl');
  writeFileSync(rows, lines.join('\n'));
  config = {
    model_name: model,
    output_dir: join(folder, 'out'),
    datasets_config: { ideas: [rows], misc: [{ dataset: `${rows}:|:2`, on_bad_row: 'skip' }] },
    datasets_kwargs: { [rows]: { on_bad_row: 'skip' } },
    training_config: {
      max_steps: 1,
      batch_size: 2,
      warmup_steps: 0,
      max_length_token: 100,
      save_strategy: 'no',
    },
  };
});

/** What is printed of a dataset. */
const told = (output: string, style: string) => output.slice(output.indexOf(`rows.jsonl · ${style}`));

function expectLeftOut(output: string): void {
  for (const style of ['misc', 'ideas']) {
    expect(told(output, style)).toMatch(
      /rows to train.* to evaluate.*; left out: 1 too long \(maxLengthToken\), 1 without a trained token, 2 that could not be used/,
    );
    expect(told(output, style)).toMatch(
      /left out row 8 \(.*rows\.jsonl line 9\): Expected the content of messages\[1\]/,
    );
    expect(told(output, style)).toMatch(/left out row 9 \(.*line 10\): Expected valid JSON/);
  }
  expect(told(output, 'misc')).toMatch(/2 rows to train \(trimmed to 2\)/);
}

describe('what is left out of each dataset, and why, is told before the first step', () => {
  it('by the command', async () => {
    const file = join(tempDir(), 'config.json');
    writeFileSync(file, JSON.stringify(config));
    const { status, stderr } = await runCommand('src/cli/main.ts', ['train', file]);
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    expectLeftOut(stderr);
    expect(stderr.indexOf('left out')).toBeLessThan(stderr.search(/step|1\/1/));
  });

  it('by the library, printed and as an event', async () => {
    const events: TrainingEvent[] = [];
    let output = '';
    const print = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      output += String(text);
      return true;
    });
    try {
      const options = { ...config, output_dir: join(tempDir(), 'out') };
      await trainAdaptively(options as never, { onEvent: (event) => void events.push(event) });
    } finally {
      print.mockRestore();
    }
    expectLeftOut(output);
    const [first] = events.filter(({ type }) => type !== 'warning');
    expect(first).toMatchObject({
      type: 'datasets',
      report: [{}, {}].map(() => ({
        droppedTooLong: 1,
        droppedNoTrainedToken: 1,
        skippedBad: 2,
        skippedByFunction: 0,
        badRows: [{ where: expect.stringMatching(/row 8/) }, { where: expect.stringMatching(/row 9/) }],
      })),
    });
  });
});
