import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

const run = (...args: string[]) => runCommand('src/cli/main.ts', args);

function dataOf(row: object): { folder: string; data: string; out: string } {
  const folder = tempDir();
  const data = join(folder, 'my rows.jsonl');
  writeFileSync(data, Array.from({ length: 30 }, () => JSON.stringify(row)).join('\n'));
  return { folder, data, out: join(folder, 'config.yml') };
}

describe('adaptive-trainer init', () => {
  it('writes a commented configuration that validate takes, and replaces none', async () => {
    const { folder, data, out } = dataOf({ prompt: 'a question', response: 'an answer' });
    const args = ['--model', seedDir, '--data', data, '--style', 'attention', '--yes', '--out', out];
    const made = await run('init', ...args, '--output-dir', join(folder, 'out'));
    expect(made).toMatchObject({ status: 0, stdout: `${out}\n` });
    const text = readFileSync(out, 'utf8');
    expect(parse(text)).toMatchObject({ model_name: seedDir, datasets_config: { attention: [data] } });
    expect(text).toContain('# its rows have the columns prompt, response');
    expect(text.split('\n').filter((line) => /^ +\w+: \S/.test(line) && !line.includes('#'))).toEqual([]);
    expect(await run('validate', out)).toMatchObject({ status: 0 });
    const again = await run('init', ...args);
    expect([again.status, again.stderr]).toEqual([
      1,
      expect.stringContaining('Nothing was changed') as string,
    ]);
    expect(readFileSync(out, 'utf8')).toBe(text);
  });

  it('proposes columns for rows that are not known', async () => {
    const { data, out, folder } = dataOf({ ask: 'a question', reply: 'an answer' });
    const args = ['--model', seedDir, '--data', data, '--yes', '--no-lora', '--out', out];
    const made = await run('init', ...args, '--output-dir', join(folder, 'out'));
    expect(made).toMatchObject({ status: 0 });
    expect(parse(readFileSync(out, 'utf8'))).toMatchObject({
      datasets_kwargs: { [data]: { columns: { user: 'ask', assistant: 'reply' } } },
    });
    expect(await run('validate', out)).toMatchObject({ status: 0 });
  });

  it.each([
    [['--yes'], 2, 'Expected --model and --data'],
    [['--model', 'm', '--data', 'd.jsonl', '--out', 'c.json'], 2, 'Expected --out to name a YAML file'],
    [['--model', 'm', '--data', './none.jsonl', '--yes'], 1, 'none.jsonl'],
    [['--style', 'idea'], 2, 'Expected --style misc, ideas, attention or both but received "idea".'],
  ])('%j is refused', async (args, code, message) => {
    const { status, stderr } = await run('init', ...args);
    expect([status, stderr]).toEqual([code, expect.stringContaining(message) as string]);
  });
});
