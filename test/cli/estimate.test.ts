import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StartEvent, TrainingEvent } from '../../src/events/training-event.js';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

let folder: string;
let file: string;
beforeAll(() => {
  folder = tempDir();
  file = join(folder, 'config.json');
  const rows = Array.from({ length: 40 }, (_, i) =>
    JSON.stringify({ prompt: `question ${i}`, response: 'an answer of some words '.repeat(1 + (i % 5)) }),
  );
  writeFileSync(join(folder, 'rows.jsonl'), rows.join('\n'));
  writeFileSync(
    file,
    JSON.stringify({
      ...{ model_name: seedDir, output_dir: join(folder, 'out') },
      datasets_config: { ideas: [join(folder, 'rows.jsonl')] },
      training_config: {
        batch_size: 4,
        num_epochs: 1,
        warmup_steps: 0,
        save_strategy: 'no',
        inspect_rows: 0,
      },
    }),
  );
});

const run = (...args: string[]) => runCommand('src/cli/main.ts', args);

describe('what is told before a run', () => {
  it('train --dry-run and estimate agree with the run, and write nothing', { timeout: 240_000 }, async () => {
    const dry = await run('train', file, '--dry-run', '--json');
    expect(dry).toMatchObject({ status: 0 });
    const planned = JSON.parse(dry.stdout) as { steps: number; memory: { total: number } };
    const estimated = await run('estimate', seedDir, file, '--json');
    expect(estimated).toMatchObject({ status: 0 });
    const told = JSON.parse(estimated.stdout) as {
      steps: number;
      fits: boolean;
      memory: { total: number; weights: number };
      counts: { all: number };
      time: { secondsPerStep: number; least: number; seconds: number; most: number };
      advice: { name: string; total: number }[];
    };
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'rows.jsonl']);

    const trained = await run('train', file, '--json');
    expect(trained).toMatchObject({ status: 0 });
    const events = trained.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TrainingEvent);
    const start = events.find((event): event is StartEvent => event.type === 'start')!;
    expect([planned.steps, told.steps]).toEqual([start.steps, start.steps]);
    const total = start.memory!.total;
    for (const { memory } of [planned, told]) expect(Math.abs(memory.total / total - 1)).toBeLessThan(0.15);
    expect(told.memory.weights).toBe(start.memory!.weights);
    expect(told.fits).toBe(true);
    expect(told.time.secondsPerStep).toBeGreaterThan(0);
    expect(told.time.least).toBeLessThan(told.time.seconds);
    for (const { total: less } of told.advice.slice(0, 1)) expect(less).toBeLessThan(told.memory.total);
  });

  it('counts the weights of an adapter', async () => {
    const set = ['--set', 'peft_config={"r": 8, "target_modules": "all-linear"}'];
    const { stdout } = await run('train', file, '--dry-run', '--overwrite', '--json', ...set);
    const { counts } = JSON.parse(stdout) as { counts: { all: number; trainable: number } };
    // Four layers of 256 wide and 704: q and o 256 each way, k and v to 128, gate, up and down.
    const layer = 2 * 8 * (256 + 256) + 2 * 8 * (256 + 128) + 3 * 8 * (256 + 704);
    expect(counts.trainable).toBe(4 * layer);
  });

  it('a folder with another run is refused as by the run', async () => {
    const { status, stderr } = await run('train', file, '--dry-run');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^OUTPUT_DIR_USED/m) as string]);
  });
});
