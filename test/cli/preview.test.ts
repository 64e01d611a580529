import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetPreview } from '../../src/data/preview-datasets.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

let folder: string;
let config: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cli-preview-'));
  const rows = Array.from({ length: 1003 }, (_, i) => ({
    messages: [
      { role: 'user', content: `q${i} \u001b[2J` },
      ...(i === 1 ? [] : [{ role: 'assistant', content: i === 2 ? 'long '.repeat(600) : `a${i}\nb 🙂` }]),
    ],
  }));
  await writeFile(path.join(folder, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  await writeFile(path.join(folder, 'pairs.csv'), 'question,answer\nx,y\n');
  config = path.join(folder, 'config.json');
  await writeFile(
    config,
    JSON.stringify({
      model_name: seedDir,
      output_dir: folder,
      datasets_config: {
        ideas: [`${path.join(folder, 'rows.jsonl')}:|:50`],
        both: [path.join(folder, 'pairs.csv')],
      },
      system_prompts: { ideas: 'Be\nbrief.' },
      training_config: { max_length_token: 200 },
    }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...args: string[]) => runCommand('src/cli/main.ts', ['preview', ...args]);

describe('adaptive-trainer preview', () => {
  it('says where the model has fewer positions than maxLengthToken', async () => {
    const model = path.join(folder, 'model');
    await cp(seedDir, model, { recursive: true, filter: (name) => !name.endsWith('.safetensors') });
    await cp('test/fixtures/models/gpt2/config.json', path.join(model, 'config.json'));
    const file = path.join(folder, 'short.json');
    const written = JSON.parse(await readFile(config, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...written, model_name: model }));
    const { stdout, stderr } = await run(file, '--json');
    expect(stderr).toContain('maxLengthToken is 200, but the model has 128 positions: 128 is taken.');
    expect(JSON.parse(stdout)).toMatchObject({ maxLengthToken: 128 });
  });

  it('shows rows as they are trained on, with counts, style and prompt', async () => {
    const { status, stdout, stderr } = await run(config);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const [first, second] = stdout.split(`\n\n${path.join(folder, 'pairs.csv')}`);
    expect(first).toContain('rows.jsonl, 50 rows of it · ideas · datasets_config.ideas[0]');
    expect(first).toMatch(/of the first 1,000 rows, 998 usable/);
    expect(first).toMatch(/dropped +1 with more than 200 tokens, 1 without a trained token/);
    expect(first).toMatch(/prompt +"Be⏎brief\."/);
    expect(first).toContain('│ <|im_start|>user\n  │ q0 ␛[2J<|im_end|>\n');
    expect(first).toContain('│ ⟦a0⏎\n  │ b 🙂<|im_end|>⏎⟧\n');
    expect(first).toMatch(/row 1 \(.*line 2\) · \d+ tokens, 0 trained · dropped: no trained token/);
    expect(first).toMatch(
      /row 2 .*dropped: more than 200 tokens\n[\s\S]*⟦long long .*\[…[\d,]+ characters…\].*⟧/,
    );
    expect(second).toMatch(/^ · both · .*\n +rows +of all 1 row, 1 usable\n +dropped +none\n/);
    expect(second).toContain('Between ⟦ and ⟧: trained.');
    expect(stdout).not.toContain('\u001b');
  });

  it('names files as the configuration does', async () => {
    const file = path.join(folder, 'relative.json');
    const written = JSON.parse(await readFile(config, 'utf8')) as object;
    const pairs = path.relative(process.cwd(), path.join(folder, 'pairs.csv'));
    await writeFile(file, JSON.stringify({ ...written, datasets_config: { both: [pairs] } }));
    const { stdout } = await run(file);
    expect(stdout).toContain(`row 0 (${pairs} `);
    expect(stdout).not.toContain(`(${path.resolve(pairs)}`);
  });

  it('--json gives the same to machines', async () => {
    const { status, stdout } = await run(config, '--json', '--rows', '1', '--all');
    expect(status).toBe(0);
    const { datasets, maxLengthToken } = JSON.parse(stdout) as {
      datasets: (DatasetPreview & { rows: { text: string }[] })[];
      maxLengthToken: number;
    };
    expect(maxLengthToken).toBe(200);
    expect(datasets).toHaveLength(2);
    expect(datasets[0]).toMatchObject({
      ...{ style: 'ideas', path: 'datasets_config.ideas[0]', limit: 50, systemPrompt: 'Be\nbrief.' },
      ...{ counted: 1003, isAll: true, usable: 1001, tooLong: 1, noTrainedToken: 1, skipped: 0 },
    });
    const [row, ...others] = datasets[0]!.rows;
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      text: '<|im_start|>system\nBe\nbrief.<|im_end|>\n<|im_start|>user\nq0 \u001b[2J<|im_end|>\n<|im_start|>assistant\na0\nb 🙂<|im_end|>\n',
      dropped: null,
    });
    expect(row!.runs.map(({ isTrained }) => isTrained)).toEqual([false, true]);
    expect(row!.runs[1]!.text).toBe('a0\nb 🙂<|im_end|>\n');
    expect(row!.runs.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(row!.tokens);
  });

  it('--full shows long rows whole', async () => {
    const { stdout } = await run(config, '--full');
    expect(stdout).toContain('long '.repeat(600).trim());
  });

  it.each([
    [[], 'Expected one configuration file but received none.'],
    [['a.json', '--rows', '-1'], 'Expected a whole number after --rows but received "-1".'],
    [['a.json', '--rows', 'x'], 'Expected a whole number after --rows but received "x".'],
    [['a.json', '--jsn'], "Unknown option '--jsn'"],
  ])('%j is a wrong command line: status 2', async (args, message) => {
    const { status, stderr } = await run(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: adaptive-trainer preview');
  });

  it('an error names dataset and row: status 1', async () => {
    const bad = path.join(folder, 'bad.json');
    await writeFile(path.join(folder, 'odd.jsonl'), '{"foo":1}\n');
    await writeFile(
      bad,
      JSON.stringify({
        modelName: seedDir,
        outputDir: folder,
        datasetsConfig: { misc: [path.join(folder, 'odd.jsonl')] },
      }),
    );
    const { status, stdout, stderr } = await run(bad);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^DATASET_INVALID: Dataset .*odd\.jsonl.* row 0 .*foo/);
  });
});
