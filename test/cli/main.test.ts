import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cli-main-'));
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...args: string[]) => runCommand('src/cli/main.ts', args);

async function fileWith(text: string): Promise<string> {
  const file = path.join(folder, 'config.json');
  await writeFile(file, text);
  return file;
}

describe('adaptive-trainer', () => {
  it('--help', async () => {
    const { status, stdout, stderr } = await run('--help');
    expect(status).toBe(0);
    expect(stderr).toBe('');
    for (const word of ['train', 'validate', 'setup', '--version', 'current directory'])
      expect(stdout).toContain(word);
  });

  it('--version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await run('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([
    [[], 'Expected a command but received none.'],
    [['trian'], 'received "trian". Did you mean "train"?'],
    [['toString'], 'received "toString".'],
    [['train'], 'Expected one configuration file but received none.'],
    [['train', 'a.json', 'b.json'], 'Expected one configuration file but received a.json b.json.'],
    [['train', 'a.json', '--jsn'], "Unknown option '--jsn'"],
    [['validate', '--json', 'a.json'], "Unknown option '--json'"],
    [['train', 'a.json', '--resum'], "Unknown option '--resum'. Did you mean --resume?"],
    [['train', 'a.json', '--resume', '--overwrite'], "'--overwrite' cannot be used with option '--resume'"],
    [['train', 'a.json', '--set', 'batch_size'], 'Expected --set training_config.batch_size=2'],
    [['train', 'a.json', '--set'], "Option '--set <key=value>' argument missing"],
    [['upload', 'folder'], 'Expected <folder> <repo> but received folder.'],
  ])('%j is a wrong command line: status 2', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: adaptive-trainer');
  });

  it.each(['train', 'validate'])('%s --help', async (command) => {
    const { status, stdout } = await run(command, '--help');
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: adaptive-trainer ${command}`);
    expect(stdout).toMatch(/relative to the\s+current\s+directory/);
  });

  it('train reads the configuration before it loads anything', async () => {
    const { status, stderr } = await run('train', path.join(folder, 'none.json'));
    expect(status).toBe(1);
    expect(stderr).toBe(
      `IO_FAILED: Expected a configuration file at ${folder}/none.json, but there is none.\n`,
    );
  });
});

describe('JSON that is none', () => {
  it('is told with line and column: status 1', async () => {
    const file = await fileWith('{\n  "modelName": None\n}');
    const { status, stderr } = await run('train', file);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `CONFIG_INVALID: Expected JSON in ${file} but found None at line 2, column 16. JSON writes null, true and false.\n`,
    );
  });
});

describe('adaptive-trainer validate', () => {
  const config = () => ({
    model_name: path.join(folder, 'model'),
    datasets_kwargs: { row: {} },
    output_dir: path.join(folder, 'new', 'out'),
    datasets_config: { ideas: [`${path.join(folder, 'rows.jsonl')}:|:5`], misc: [] },
    training_config: {},
  });
  beforeAll(async () => {
    await mkdir(path.join(folder, 'model'));
    const model = ['config.json', 'model.safetensors'];
    for (const name of [...model, 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
      await copyFile(path.join(seedDir, name), path.join(folder, 'model', name));
    }
    await writeFile(path.join(folder, 'rows.jsonl'), '{"question":"q","answer":"a"}\n');
  });

  it('passes a good one, saying what has no effect: status 0', async () => {
    const { status, stdout, stderr } = await run('validate', await fileWith(JSON.stringify(config())));
    expect(stderr).toContain('note datasets_kwargs has an entry for "row"');
    expect(stdout).toMatch(/is valid: .*model on 1 dataset\.\n$/);
    expect(status).toBe(0);
  });

  it('takes values on the command line', async () => {
    const file = await fileWith(JSON.stringify(config()));
    const good = await run('validate', file, '--set', 'training_config.batch_size=2');
    expect(good).toMatchObject({ status: 0 });
    const bad = await run(
      'validate',
      file,
      '--set',
      'trainingConfig.batch_size=two',
      '--set',
      'modle_name=x',
    );
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain(
      'training_config.batch_size: expected a whole number, 1 or more, received the string "two"',
    );
    expect(bad.stderr).toContain(
      'modle_name: expected a known key, received an unknown one; did you mean "model_name"?',
    );
  });

  it('lists the faults of a bad one: status 1', async () => {
    const bad = { ...config(), training_config: { batch_sise: 3, learning_rate: 'x' } };
    const { status, stdout, stderr } = await run('validate', await fileWith(JSON.stringify(bad)));
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.split('\n').slice(0, 4)).toEqual([
      'note datasets_kwargs has an entry for "row", which is no dataset here, so it has no effect.',
      'CONFIG_INVALID: Expected a valid configuration but found 2 faults:',
      '  training_config.batch_sise: expected a known key, received an unknown one; did you mean "batch_size"?',
      '  training_config.learning_rate: expected a number, 0 or more, received the string "x"',
    ]);
  });
});
