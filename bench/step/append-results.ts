import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';

const columns = [
  'date',
  'what',
  'trainer',
  'parameters_m',
  'rows',
  'checkpointing',
  'loss',
  'dtype',
  'steps',
  'p20_s',
  'p50_s',
  'p80_s',
  'tokens_per_s',
  'peak_gib',
  'last_loss',
  'last_grad_norm',
  'threads',
  'cpu',
  'instructions',
  'cores',
  'os',
  'versions',
  'note',
] as const;

/** One contender's figures; the keys are the columns of the file. What does not apply is empty. */
export type Result = Record<(typeof columns)[number], string | number>;

const cell = (value: string | number) => {
  const text = typeof value === 'number' ? String(Number(value.toPrecision(5))) : value;
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Adds rows to the one CSV file of all benchmark runs, which only ever grows. */
export async function appendResults(path: string, results: Result[]): Promise<void> {
  const header = columns.join(',');
  if (!existsSync(path)) await writeFile(path, `${header}\n`);
  const [present] = (await readFile(path, 'utf8')).split('\n', 1);
  if (present !== header) throw new Error(`Expected the columns ${header} in ${path} but found ${present}.`);
  await appendFile(
    path,
    results.map((result) => `${columns.map((name) => cell(result[name])).join(',')}\n`).join(''),
  );
}
