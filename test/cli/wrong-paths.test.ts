import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

let folder: string;
let config: string;
beforeAll(() => {
  folder = tempDir();
  mkdirSync(join(folder, 'run', 'final_model'), { recursive: true });
  for (const step of [9, 10]) mkdirSync(join(folder, 'stopped', `checkpoint-${step}`), { recursive: true });
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'rows.jsonl'), '{"prompt": "a", "response": "b"}\n'.repeat(4));
  writeFileSync(join(folder, 'plain'), '');
  config = join(folder, 'config.json');
  const datasets = { ideas: [join(folder, 'data', 'rows.jsonl')] };
  writeFileSync(
    config,
    JSON.stringify({ model_name: seedDir, output_dir: 'out', datasets_config: datasets }),
  );
});

const run = (...args: string[]) =>
  runCommand('src/cli/main.ts', args, { HF_HUB_OFFLINE: '1', HF_HOME: folder });

describe('a path that is another than was meant', () => {
  it.each([
    ['generate', (dir: string) => ['generate', dir, 'text']],
    ['chat', (dir: string) => ['chat', dir]],
    ['eval', (dir: string) => ['eval', dir, config]],
    ['inspect', (dir: string) => ['inspect', dir, config]],
    ['estimate', (dir: string) => ['estimate', dir, config]],
    ['validate', (dir: string) => ['validate', config, '--set', `model_name=${dir}`]],
    ['preview', (dir: string) => ['preview', config, '--set', `model_name=${dir}`]],
    ['train', (dir: string) => ['train', config, '--set', `model_name=${dir}`]],
  ])('%s: the output folder of a run is told from its model', async (_, args) => {
    const { status, stdout, stderr } = await run(...args(join(folder, 'run')));
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('the output folder of a run');
    expect(stderr).toContain(join('run', 'final_model'));
    expect(stderr).not.toContain('    at ');
  });

  it.each([
    ['generate', (file: string) => ['generate', file, 'text']],
    ['eval', (file: string) => ['eval', file, config]],
    ['validate', (file: string) => ['validate', config, '--set', `model_name=${file}`]],
  ])('%s: a file is told from the folder of a model', async (_, args) => {
    const { status, stderr } = await run(...args(config));
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`${config}, which is a file. Name`) as string,
    ]);
    expect(stderr).not.toContain('    at ');
  });

  it('a folder is told from a configuration, and one of this library from that of another trainer', async () => {
    expect((await run('validate', folder)).stderr).toContain(`at ${folder}, but it is a folder.`);
    const { status, stderr } = await run('import-config', config);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/a configuration of this library, with datasets_config/) as string,
    ]);
  });

  it('of a run without a final model the newest checkpoint is named', async () => {
    const { stderr } = await run('generate', join(folder, 'stopped'), 'text');
    expect(stderr).toContain(join('stopped', 'checkpoint-10'));
  });

  it.each([
    ['generate', () => ['generate', 'no/such', 'text']],
    ['eval', () => ['eval', 'no/such', config]],
  ])('%s: of what may be a name on the Hub both readings are told', async (_, args) => {
    const { status, stderr } = await run(...args());
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/There is no folder .*no\/such either/) as string,
    ]);
  });

  it.each([
    ['inspect', () => ['inspect', seedDir, config]],
    ['eval', () => ['eval', seedDir, config]],
  ])('%s: a page that cannot be written is told of before the work', async (_, args) => {
    const { status, stdout, stderr } = await run(...args(), '--page', join(folder, 'plain', 'page.html'));
    expect([status, stdout, stderr]).toEqual([1, '', expect.stringMatching(/^IO_FAILED: .*plain/) as string]);
  });

  it('init makes the folder of its file, and leaves nothing else', async () => {
    const out = join(folder, 'new', 'config.yml');
    const data = join(folder, 'data', 'rows.jsonl');
    const { status } = await run('init', '--model', seedDir, '--data', data, '--yes', '--out', out);
    expect([status, readdirSync(join(folder, 'new'))]).toEqual([0, ['config.yml']]);
  });
});
