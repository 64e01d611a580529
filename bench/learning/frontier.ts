import { renderTable } from '../../src/index.js';
import type { Family } from './family.js';
import type { Result } from './results.js';
import { parseSetting } from './setting.js';

/** Quantiles of Student's t for 95 %, by degrees of freedom. */
const student = [NaN, 12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];

interface Summary {
  mean: number;
  /** Half the width of the 95 % confidence interval of the mean; NaN for one value. */
  margin: number;
}

function summary(values: readonly number[]): Summary {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (values.length - 1));
  return { mean, margin: ((student[values.length - 1] ?? 1.96) * deviation) / Math.sqrt(values.length) };
}

/**
 * Target against forgetting, one line a setting: means over its seeds with their 95 % intervals, the share that its
 * forgetting is of the best cross-entropy's without retention, and its time and tokens likewise. λ / scale is what may be
 * compared between losses.
 */
export function frontier(family: Pick<Family, 'target' | 'second'>, results: readonly Result[]): string {
  const bySetting = grouped(results);
  const of = (runs: readonly Result[], key: 'target' | 'second' | 'texts' | 'chats' | 'forgetting') =>
    summary(runs.map((run) => run[key]));
  const reference = [...bySetting]
    .filter(([name]) => parseSetting(name).loss === 'ce' && isFree(name))
    .map(([, runs]) => runs)
    .reduce<readonly Result[] | undefined>(
      (best, runs) => (best === undefined || of(runs, 'target').mean > of(best, 'target').mean ? runs : best),
      undefined,
    );
  const mean = (runs: readonly Result[], value: (run: Result) => number) => summary(runs.map(value)).mean;
  const times = (runs: readonly Result[], value: (run: Result) => number) =>
    reference === undefined ? '' : (mean(runs, value) / mean(reference, value)).toFixed(2);
  const lines = [...bySetting]
    .map(([name, runs]) => ({ name, runs, target: of(runs, 'target') }))
    .sort((one, other) => other.target.mean - one.target.mean)
    .map(({ name, runs, target }) => [
      name,
      String(runs.length),
      shown(target, 100, 1),
      shown(of(runs, 'second'), 1, 3),
      shown(of(runs, 'texts'), 1, 3),
      shown(of(runs, 'chats'), 1, 3),
      shown(of(runs, 'forgetting'), 1, 3),
      `${times(runs, ({ texts }) => texts)} ${times(runs, ({ chats }) => chats)}`,
      `${times(runs, ({ seconds, steps }) => seconds / steps)} ${times(runs, ({ tokens }) => tokens)}`,
      matched(name, runs),
    ]);
  const head = ['setting', 'seeds', 'target %', 'second', 'texts', 'chats', 'meter'];
  return [
    `target: ${family.target}; second: ${family.second}; texts, chats: nats per token forgotten`,
    renderTable([...head, 'of best ce: forgotten', 'time, tokens', 'λ/scale'], lines),
  ].join('\n');
}

/** Whether nothing holds the model to its base. */
function isFree(name: string): boolean {
  const { weight, pull, rank } = parseSetting(name);
  return weight === undefined && pull === 0 && rank === 0;
}

function matched(name: string, runs: readonly Result[]): string {
  const { weight } = parseSetting(name);
  return weight === undefined ? '' : (weight / summary(runs.map((run) => run.loss_scale)).mean).toFixed(2);
}

function shown({ mean, margin }: Summary, times: number, digits: number): string {
  if (Number.isNaN(mean)) return '';
  const text = (mean * times).toFixed(digits);
  return Number.isNaN(margin) ? text : `${text} ± ${(margin * times).toFixed(digits)}`;
}

function grouped(results: readonly Result[]): Map<string, Result[]> {
  const groups = new Map<string, Result[]>();
  for (const result of results) groups.set(result.setting, [...(groups.get(result.setting) ?? []), result]);
  return groups;
}
