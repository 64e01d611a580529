import type { LearningStyle } from '../../events/learning-style.js';
import type {
  ComparedGroup,
  Comparison,
  GroupNumbers,
  InspectedRow,
  InspectedSet,
  Interval,
  TokenJudgements,
} from '../../events/token-record.js';
import { bootstrap } from './bootstrap.js';

/** What a model makes of one row, over its trained tokens. */
export interface RowTally {
  tokens: number;
  /** Sum, nats. */
  nll: number;
  /** Tokens that are the model's first choice. */
  correct: number;
  /** Tokens among its first `topK`, these included. */
  nearOrCorrect: number;
}

/** Which group a row is counted in. */
export interface RowPlace {
  set: InspectedSet;
  dataset: string;
  style: LearningStyle;
}

/** From this number of rows on, an interval says something. */
const enoughRows = 5;

/** Two models, or a model before and after a run, on the same rows: by dataset, the held-out ones first. */
export function compareTallies(
  places: readonly RowPlace[],
  before: readonly RowTally[],
  after: readonly RowTally[],
  topK: number,
): Comparison {
  return { topK, groups: groupsOf(places).map((group) => compared(group, before, after)) };
}

/** The same from what was written of both. */
export function compareJudgements(
  rows: readonly InspectedRow[],
  before: readonly TokenJudgements[],
  after: readonly TokenJudgements[],
  topK: number,
): Comparison {
  return compareTallies(rows, before.map(tallyOf), after.map(tallyOf), topK);
}

/** Rows of one dataset, learned in one style. */
export interface RowGroup extends RowPlace {
  /** Which rows. */
  rows: number[];
}

/** The rows by dataset, the held-out ones first. */
export function groupsOf(places: readonly RowPlace[]): RowGroup[] {
  const groups = new Map<string, RowGroup>();
  places.forEach(({ set, dataset, style }, row) => {
    const key = JSON.stringify([set, dataset, style]);
    const group = groups.get(key) ?? { set, dataset, style, rows: [] };
    groups.set(key, group);
    group.rows.push(row);
  });
  return [...groups.values()].sort((a, b) => Number(a.set === 'retention') - Number(b.set === 'retention'));
}

/** The numbers of some rows together. */
export function groupNumbers(tallies: readonly RowTally[]): GroupNumbers & { tokens: number } {
  const sum = (key: keyof RowTally) => tallies.reduce((total, tally) => total + tally[key], 0);
  const tokens = sum('tokens');
  const nll = sum('nll') / tokens;
  const correct = sum('correct') / tokens;
  const near = sum('nearOrCorrect') / tokens;
  return { tokens, nll, perplexity: Math.exp(nll), correct, inTopK: near - correct, outside: 1 - near };
}

function compared(
  { set, dataset: name, style, rows }: RowGroup,
  before: readonly RowTally[],
  after: readonly RowTally[],
): ComparedGroup {
  const own = (tallies: readonly RowTally[]) => rows.map((row) => tallies[row]!);
  const change = (key: 'nll' | 'correct') =>
    bootstrap(
      rows.map((row) => ({ value: after[row]![key] - before[row]![key], tokens: before[row]!.tokens })),
    );
  const nllChange = change('nll');
  const { tokens, ...numbers } = groupNumbers(own(before));
  const { tokens: _same, ...numbersAfter } = groupNumbers(own(after));
  return {
    name,
    set,
    ...(set === 'eval' ? { style } : {}),
    rows: rows.length,
    tokens,
    before: numbers,
    after: numbersAfter,
    nllChange,
    correctChange: change('correct'),
    verdict: rows.length < enoughRows ? 'same' : verdictOf(nllChange),
  };
}

function verdictOf({ low, high }: Interval): ComparedGroup['verdict'] {
  if (high < 0) return 'gained';
  return low > 0 ? 'lost' : 'same';
}

function tallyOf({ nll, outcome }: TokenJudgements): RowTally {
  return {
    tokens: nll.length,
    nll: nll.reduce((sum, one) => sum + one, 0),
    correct: outcome.filter((one) => one === 0).length,
    nearOrCorrect: outcome.filter((one) => one < 2).length,
  };
}
