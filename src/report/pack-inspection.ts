import type { InspectedRow, TokenJudgements } from '../events/token-record.js';
import type { Inspection, PackedJudgements } from './run-report.js';

// Characters of rows and judgements on a page; a usual run has a tenth of it.
const budget = 3_000_000;

/**
 * Rows and judgements as a page holds them: each text once, and no more rows than keep the page below 5 MB. Those that are
 * left out are spread over the list.
 */
export function packInspection(
  rows: readonly InspectedRow[],
  before: readonly TokenJudgements[] | undefined,
  after: readonly TokenJudgements[] | undefined,
): Inspection {
  const texts: string[] = [];
  const places = new Map<string, number>();
  const place = (text: string) => {
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, texts.length);
    return texts.push(text) - 1;
  };
  const pack = ({
    choices,
    set,
    row,
    outcome,
    probability,
    rank,
    nll,
  }: TokenJudgements): PackedJudgements => ({
    ...{ set, row, outcome, probability, rank, nll },
    choices: choices.map((list) => list.flatMap(([text, chance]) => [place(text), chance])),
  });
  const [earlier, later] = [byRow(before), byRow(after)];
  const whole = rows.flatMap((row) => {
    const [one, other] = [earlier?.get(nameOf(row)), later?.get(nameOf(row))];
    // A run that was killed may have judged fewer.
    if (earlier !== undefined && one === undefined && other === undefined) return [];
    return fits(row, one) && fits(row, other) ? [{ row, before: one, after: other }] : [];
  });
  const kept = within(budget, whole);
  return {
    rows: kept.map(({ row }) => row),
    ...(before === undefined ? {} : { before: kept.flatMap(({ before: one }) => (one ? [pack(one)] : [])) }),
    ...(after === undefined ? {} : { after: kept.flatMap(({ after: one }) => (one ? [pack(one)] : [])) }),
    texts,
    ...(kept.length < rows.length ? { rowsInAll: rows.length } : {}),
  };
}

const nameOf = ({ set, row }: Pick<InspectedRow, 'set' | 'row'>) => `${set} ${row}`;

function byRow(list: readonly TokenJudgements[] | undefined): Map<string, TokenJudgements> | undefined {
  return list && new Map(list.map((one) => [nameOf(one), one]));
}

/** Whether judgements are of these tokens. */
function fits(row: InspectedRow, judged: TokenJudgements | undefined): boolean {
  return judged === undefined || judged.outcome.length === row.trained.length;
}

function within<One extends object>(size: number, list: One[]): One[] {
  const sizes = list.map((one) => JSON.stringify(one).length);
  const total = sizes.reduce((sum, one) => sum + one, 0);
  if (total <= size) return list;
  const share = size / total;
  let due = 0;
  let taken = 0;
  return list.filter((_, i) => {
    due += share * sizes[i]!;
    if (taken + sizes[i]! > due + sizes[i]! / 2) return false;
    taken += sizes[i]!;
    return true;
  });
}
