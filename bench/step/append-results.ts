import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { instructionSets, ownVersions, versionsText, whenAndWhere } from './machine-facts.js';
import { quantile } from './quantile.js';

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

/** Figures of this library beside those of bench:step: seconds of whatever was done several times. */
export interface Measured {
  what: string;
  /** Default: this library. */
  trainer?: string;
  seconds: readonly number[];
  /** Tokens that one of them handled. */
  tokens?: number;
  parameters?: number;
  rows?: string;
  dtype?: string;
  loss?: string;
  peakBytes?: number;
  lastLoss?: number;
  gradNorm?: number;
  threads?: number;
  /** Default: those of this process. */
  instructions?: string;
  note?: string;
}

/** Adds them to the file, with the machine that they were measured on. */
export async function appendMeasured(measured: readonly Measured[]): Promise<void> {
  const path = fileURLToPath(new URL('../results.csv', import.meta.url));
  const results = measured.map((one): Result => {
    const p50 = quantile(one.seconds, 0.5);
    return {
      ...whenAndWhere(),
      ...{
        what: one.what,
        trainer: one.trainer ?? 'adaptive-trainer',
        rows: one.rows ?? '',
        checkpointing: '',
      },
      parameters_m: one.parameters === undefined ? '' : one.parameters / 1e6,
      ...{ loss: one.loss ?? '', dtype: one.dtype ?? '', steps: one.seconds.length },
      ...{ p20_s: quantile(one.seconds, 0.2), p50_s: p50, p80_s: quantile(one.seconds, 0.8) },
      tokens_per_s: one.tokens === undefined ? '' : one.tokens / p50,
      peak_gib: one.peakBytes === undefined ? '' : one.peakBytes / 2 ** 30,
      ...{ last_loss: one.lastLoss ?? '', last_grad_norm: one.gradNorm ?? '', threads: one.threads ?? '' },
      instructions: one.instructions ?? instructionSets(),
      versions: versionsText(ownVersions()),
      note: one.note ?? '',
    };
  });
  await appendResults(path, results);
}
