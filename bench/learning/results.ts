import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const numbers = [
  'scale',
  'seed',
  'target',
  'second',
  'texts',
  'chats',
  'forgetting',
  'loss_scale',
  'seconds',
  'steps',
  'tokens',
  'threads',
] as const;
const words = ['date', 'family', 'setting', 'cpu', 'version'] as const;
const columns = ['date', 'family', 'setting', ...numbers, 'cpu', 'version'] as const;

/** One run; the keys are the columns of the file. */
export type Result = Record<(typeof numbers)[number], number> & Record<(typeof words)[number], string>;

/** The file of all runs, which only ever grows: a run that is in it is not done again. */
export async function readResults(path: string): Promise<Result[]> {
  if (!existsSync(path)) return [];
  const [head, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
  if (head !== columns.join(','))
    throw new Error(`Expected the columns ${columns.join(',')} in ${path} but found ${head}.`);
  return lines.map((line) => {
    const cells = line.split(',');
    const entries = columns.map((name, index) => [
      name,
      (words as readonly string[]).includes(name) ? cells[index] : Number(cells[index] || NaN),
    ]);
    return Object.fromEntries(entries) as Result;
  });
}

export async function appendResult(path: string, result: Result): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (!existsSync(path)) await writeFile(path, `${columns.join(',')}\n`);
  const cell = (value: string | number) => {
    if (typeof value === 'string') return value.replaceAll(',', ';');
    return Number.isNaN(value) ? '' : String(Number(value.toPrecision(6)));
  };
  await appendFile(path, `${columns.map((name) => cell(result[name])).join(',')}\n`);
}
