import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { ChildResult } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { startRanks } from './run-ranks.js';

const cli = new URL('../../src/cli/main.ts', import.meta.url);
const timeout = 300_000;

/** A model, data and a configuration; gives the configuration's file. */
function project(training: object = {}): { folder: string; config: string } {
  const folder = tempDir();
  const dir = writeTinyModel(join(folder, 'model'), { vocab_size: 4096 });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(dir, name));
  const rows = Array.from({ length: 30 }, (_, i) => ({ question: `${i} plus 1?`, answer: `${i + 1}.` }));
  writeFileSync(join(folder, 'sums.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  mkdirSync(join(folder, 'cache'));
  const config = {
    model_name: dir,
    output_dir: join(folder, 'out'),
    datasets_config: { ideas: [join(folder, 'sums.jsonl')] },
    training_config: {
      ...{ max_steps: 4, batch_size: 2, eval_strategy: 'no', save_strategy: 'no', fp16: false },
      ...{ ddp_timeout: 60, retention: false, threads: 1 },
      ...training,
    },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return { folder, config: join(folder, 'config.json') };
}

async function command(folder: string, size: number, args: string[]): Promise<ChildResult[]> {
  const env = { ADAPTIVE_TRAINER_CACHE: join(folder, 'cache'), HF_TOKEN: '', WANDB_API_KEY: '', DEBUG: '' };
  const ranks = await startRanks(cli, size, () => args, { env: () => env });
  return Promise.all(ranks.map(({ result }) => result));
}

describe('adaptive-trainer train as several ranks', () => {
  test('trains; rank 0 alone prints, and writes', { timeout }, async () => {
    const { folder, config } = project();
    const [first, second] = await command(folder, 2, ['train', config]);
    expect(first).toMatchObject({ status: 0, stdout: `${join(folder, 'out', 'final_model')}\n` });
    expect(second).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(existsSync(join(folder, 'out', 'final_model', 'model.safetensors'))).toBe(true);
    expect(existsSync(join(folder, 'out', 'report.html'))).toBe(true);
    const events = readFileSync(join(folder, 'out', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const types = events.map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types.filter((type) => type === 'start' || type === 'end')).toEqual(['start', 'end']);
    expect(events.join()).toContain('"ranks":2');
  });

  test.each([
    ['a fault of the configuration', { batch_size: 0 }, 'CONFIG_INVALID'],
    ['a chat template with a fault', { chat_template: '{{' }, 'CHAT_TEMPLATE_FAILED'],
  ])('%s is told by one rank', { timeout }, async (_, training, code) => {
    const { folder, config } = project(training);
    const results = await command(folder, 3, ['train', config]);
    expect(results.map(({ status }) => status)).toEqual([1, 1, 1]);
    const told = results.map(({ stderr }) => stderr).filter((text) => text !== '');
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(code);
  });

  test('--dry-run says at rank 0 alone what it would do', { timeout }, async () => {
    const { folder, config } = project();
    const [first, second] = await command(folder, 2, ['train', config, '--dry-run']);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first!.stdout).toContain('Nothing was written, and nothing trained.');
    expect(second).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  test('a configuration that cannot be read is told by one rank', { timeout }, async () => {
    const { folder } = project();
    const results = await command(folder, 2, ['train', join(folder, 'none.json')]);
    expect(results.map(({ status }) => status)).toEqual([1, 1]);
    expect(results.filter(({ stderr }) => stderr.includes('none.json'))).toHaveLength(1);
  });
});

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const torchrun = join(dirname(python ?? ''), 'torchrun');
const root = fileURLToPath(new URL('../../', import.meta.url));

function run(args: string[], folder: string): Promise<ChildResult> {
  const { OMP_NUM_THREADS: _, ...env } = process.env;
  const child = spawn(torchrun, args, {
    cwd: root,
    env: { ...env, ADAPTIVE_TRAINER_CACHE: join(folder, 'cache'), HF_TOKEN: '', WANDB_API_KEY: '' },
  });
  const found: ChildResult = { status: null, signal: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (found.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (found.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ ...found, status, signal }));
  });
}

describe.runIf(python !== undefined && existsSync(torchrun))("torchrun's own ranks", () => {
  const launch = ['--standalone', '--no-python', '--nproc-per-node=2'];

  test('train', { timeout }, async () => {
    const { folder, config } = project({ threads: null });
    const found = await run(
      [...launch, process.execPath, '--import', 'tsx', fileURLToPath(cli), 'train', config],
      folder,
    );
    expect(found.status, found.stderr).toBe(0);
    expect(found.stdout).toBe(`${join(folder, 'out', 'final_model')}\n`);
    expect(found.stderr.match(/torchrun set OMP_NUM_THREADS=1/g)).toHaveLength(1);
  });

  test('started anew after one was killed, they go on from the last checkpoint', { timeout }, async () => {
    const { folder } = project();
    const program = fileURLToPath(new URL('restarted.child.ts', import.meta.url));
    const args = [join(folder, 'model'), join(folder, 'out'), join(folder, 'sums.jsonl')];
    const found = await run(
      [...launch, '--max-restarts=1', process.execPath, '--import', 'tsx', program, ...args],
      folder,
    );
    expect(found.status, found.stderr).toBe(0);
    expect(found.stdout).toContain(`trained ${join(folder, 'out', 'final_model')}`);
    const events = readFileSync(join(folder, 'out', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const starts = events.map((line) => JSON.parse(line) as { type: string; resumedFrom?: { step: number } });
    expect(starts.filter(({ type }) => type === 'start').map(({ resumedFrom }) => resumedFrom?.step)).toEqual(
      [undefined, 4],
    );
  });
});
