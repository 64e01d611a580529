import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { hasTerminal, keys, runInTerminal, type Typed } from './in-terminal.js';
import { runCommand } from './run-command.js';

const questions = {
  model: 'Which model?',
  data: 'Which data?',
  style: 'How is it to be learned?',
  lora: 'Train an adapter',
  output: 'Where does the run write?',
};
const line = (after: string | RegExp, text: string): Typed => ({ after, keys: text + keys.enter });

function folderWithRows(): { folder: string; data: string } {
  const folder = tempDir();
  const data = join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 30 }, (_, i) =>
    JSON.stringify({ prompt: `ask ${i}`, response: 'so it is' }),
  );
  writeFileSync(data, rows.join('\n'));
  return { folder, data };
}

describe.skipIf(!hasTerminal)('init behind a terminal', { timeout: 240_000 }, () => {
  it('asks what no option says; validate takes what it wrote, and so does train', async () => {
    const { folder, data } = folderWithRows();
    const { status, text } = await runInTerminal(
      ['init'],
      [
        line(questions.model, seedDir),
        line(questions.data, data),
        { after: questions.style, keys: keys.down + keys.enter },
        line(questions.lora, ''),
        line(questions.output, ''),
      ],
      { cwd: folder },
    );
    expect([status, text]).toEqual([
      0,
      expect.stringContaining('Next: adaptive-trainer validate config.yml') as string,
    ]);
    const file = join(folder, 'config.yml');
    expect(parse(readFileSync(file, 'utf8'))).toMatchObject({
      ...{ model_name: seedDir, output_dir: 'out', datasets_config: { attention: [data] } },
      peft_config: { r: 16 },
    });
    // Paths in it are relative to the folder of whoever runs it.
    const out = ['--set', `output_dir=${join(folder, 'out')}`];
    expect(await runCommand('src/cli/main.ts', ['validate', file, ...out])).toMatchObject({ status: 0 });
    const few = ['--set', 'training_config.max_steps=2', '--set', 'training_config.retention={"samples": 4}'];
    const trained = await runCommand('src/cli/main.ts', ['train', file, ...out, ...few]);
    expect([trained.status, trained.stdout]).toEqual([0, `${join(folder, 'out', 'final_model')}\n`]);
    expect(existsSync(join(folder, 'out', 'final_model', 'adapter_config.json'))).toBe(true);
  });

  it('asks again where an answer cannot be, and says why', async () => {
    const { folder, data } = folderWithRows();
    writeFileSync(join(folder, 'empty.jsonl'), '');
    const { status } = await runInTerminal(
      ['init', '--style', 'ideas', '--no-lora', '--output-dir', 'out'],
      [
        line(questions.model, ''),
        line('cannot be left out', './no-such-model'),
        line('There is no folder ./no-such-model', keys.clear + folder),
        line('holds no model', keys.clear + seedDir),
        line(questions.data, './none.jsonl'),
        line(/there is nothing[^]*Which data\?/, './empty.jsonl'),
        line(/it is empty[^]*Which data\?/, data),
      ],
      { cwd: folder },
    );
    expect([status, parse(readFileSync(join(folder, 'config.yml'), 'utf8'))]).toEqual([
      0,
      expect.objectContaining({ model_name: seedDir, datasets_config: { ideas: [data] } }) as object,
    ]);
  });

  it.each(Object.values(questions))('Ctrl-C at "%s": status 130, nothing written', async (question) => {
    const { folder, data } = folderWithRows();
    const all = [
      line(questions.model, seedDir),
      line(questions.data, data),
      line(questions.style, ''),
      line(questions.lora, ''),
    ];
    const before = all.slice(0, Object.values(questions).indexOf(question));
    const typed = [...before, { after: question, keys: keys.interrupt }];
    const { status, text } = await runInTerminal(['init'], typed, { cwd: folder });
    expect([status, text]).toEqual([130, expect.stringContaining('Nothing was written') as string]);
    expect(existsSync(join(folder, 'config.yml'))).toBe(false);
  });

  it('asks before it replaces a file', async () => {
    const { folder, data } = folderWithRows();
    const file = join(folder, 'config.yml');
    writeFileSync(file, 'mine');
    const options = [
      'init',
      '--model',
      seedDir,
      '--data',
      data,
      '--style',
      'ideas',
      '--lora',
      '--output-dir',
      'out',
    ];
    const kept = await runInTerminal(options, [line('Replace it?', '')], { cwd: folder });
    expect([kept.status, readFileSync(file, 'utf8')]).toEqual([1, 'mine']);
    const made = await runInTerminal(options, [line('Replace it?', 'y')], { cwd: folder });
    expect([made.status, readFileSync(file, 'utf8')]).toEqual([
      0,
      expect.stringContaining('model_name') as string,
    ]);
  });

  it('asks nothing with --yes', async () => {
    const { folder, data } = folderWithRows();
    const made = await runInTerminal(['init', '--model', seedDir, '--data', data, '--yes'], [], {
      cwd: folder,
    });
    expect([made.status, existsSync(join(folder, 'config.yml'))]).toEqual([0, true]);
  });
});
