import { throwIfAborted } from '../common/throw-if-aborted.js';
import { parseConfig } from '../config/read/parse-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import type { InspectedDataset, InspectReport } from '../events/inspect-report.js';
import type { TrainingRow } from '../events/training-row.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { JudgedRow } from '../model/judge-tokens.js';
import { mixDatasets } from '../open/mix-datasets.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { chooseRows, type ChosenRow } from '../trainer/inspection/chosen-rows.js';
import { contradictions, findDuplicates, type DatasetRows } from './duplicates.js';
import { answerOf, findingOf } from './excerpt.js';
import { checkMostRows, type JudgingHooks, type RowsInHand } from './judging-hooks.js';
import { findModelToJudge, JudgingView, openToJudge, stopped } from './open-for-judging.js';
import { suggestStyle, type Facts } from './suggest-style.js';
import { summaryNotes } from './summary-notes.js';

/** What `inspectDatasets` takes beside the model and the configuration. */
export interface InspectDatasetsOptions extends JudgingHooks {
  /** Training rows of each dataset that the model judges, evenly spread over it. Default 200; Infinity: all. */
  rows?: number | undefined;
  /** @internal Called while the model is open. */
  whileOpen?: ((model: CausalLM, rows: RowsInHand) => Promise<void>) | undefined;
}

/** Rows of each dataset that are compared with each other. */
const mostCompared = 20_000;
/** How many deviations from the median a row is noise at, and the least that rows of a dataset differ by, nats. */
const deviations = 3;
const leastDeviation = 0.3;
const ks = [1, 2, 4, 8, 16, 32];

/**
 * Looks at datasets with a model before it is trained: how much of them it knows, which rows are unlike the rest, which stand there twice,
 * and which learning style and `topK` would serve them, with reasons. Trains and writes nothing.
 *
 * @param modelName a folder, or a name on the Hub: the model that is to be trained
 * @param options a configuration as for `trainAdaptively`
 * @throws AdaptiveTrainerError CONFIG_INVALID with all faults at once; ABORTED; whatever opening the model and reading the data throw
 */
export async function inspectDatasets(
  modelName: string,
  options: TrainAdaptivelyOptions,
  hooks: InspectDatasetsOptions = {},
): Promise<InspectReport> {
  const { rows: most = 200, signal, whileOpen } = hooks;
  checkMostRows(most);
  const config = parseConfig(options);
  const view = new JudgingView(hooks);
  const found = await findModelToJudge(modelName, config, view, signal);
  const datasets = await readDatasets(config, found, view, signal);
  const chosen = datasets.map(({ train }) =>
    chooseRows('eval', train, { rows: most, tokens: Infinity, leastRows: 0 }),
  );
  const compared = datasets.map(someRows);
  const duplicates = await findDuplicates(compared, found.tokenizer, signal);
  const started = performance.now();
  const judged = await judge(found, config, chosen, view, hooks, whileOpen);
  const inspected = datasets.map((dataset, at) => {
    const rows = chosen[at]!.map(({ content }, row) => ({ row: content, judged: judged[at]![row]! }));
    const { train } = compared[at]!;
    const contradicted = findingOf(contradictions(train), train.length, found.tokenizer);
    const facts = { ...factsOf(dataset, rows, found.tokenizer, judged.vocabSize), contradicted };
    const suggestion = suggestStyle(facts, config.adaptiveLossConfig);
    return { ...facts, duplicates: duplicates[at]!, suggestion };
  });
  const { loss, topK } = config.adaptiveLossConfig;
  return {
    kind: 'inspect',
    ...{ model: modelName, loss, topK },
    datasets: inspected,
    notes: summaryNotes(inspected, config.adaptiveLossConfig, most),
    seconds: (performance.now() - started) / 1000,
  };
}

interface NamedRows extends DatasetRows {
  name: string;
  style: InspectedDataset['style'];
}

async function readDatasets(
  config: ParsedConfig,
  { tokenizer, longest }: Awaited<ReturnType<typeof findModelToJudge>>,
  { run: view }: JudgingView,
  signal: AbortSignal | undefined,
): Promise<NamedRows[]> {
  const datasets: NamedRows[] = [];
  for (const plan of config.datasets) {
    // Each by itself: mixing would repeat rows of some.
    const { train, eval: evaluation } = await mixDatasets(config, [plan], tokenizer, longest, view, signal);
    datasets.push({ name: plan.label, style: plan.style, train, eval: evaluation });
  }
  return datasets;
}

/** At most so many, evenly spread, that comparing them takes seconds. */
function someRows({ train, eval: evaluation }: DatasetRows): DatasetRows {
  const some = (rows: readonly TrainingRow[]) =>
    chooseRows('eval', rows, { rows: mostCompared, tokens: Infinity, leastRows: 0 }).map(
      ({ content }) => content,
    );
  return { train: some(train), eval: some(evaluation) };
}

async function judge(
  found: Awaited<ReturnType<typeof findModelToJudge>>,
  config: ParsedConfig,
  chosen: readonly (readonly ChosenRow[])[],
  view: JudgingView,
  { signal }: JudgingHooks,
  whileOpen: InspectDatasetsOptions['whileOpen'],
): Promise<JudgedRow[][] & { vocabSize: number }> {
  const total = chosen.reduce((sum, { length }) => sum + length, 0);
  const model = await openToJudge(found, config, view, signal);
  try {
    const judged: JudgedRow[][] = [];
    let done = 0;
    for (const rows of chosen) {
      const own: JudgedRow[] = [];
      for await (const row of model.judgeTokens(
        rows.map(({ content }) => content),
        { choices: 0 },
      )) {
        throwIfAborted(signal, stopped);
        own.push(row);
        view.onProgress({ model: found.name, done: ++done, total });
      }
      judged.push(own);
    }
    const { topK } = config.adaptiveLossConfig;
    await whileOpen?.(model, { chosen: chosen.flat(), tokenizer: found.tokenizer, topK, signal });
    return Object.assign(judged, { vocabSize: model.vocabSize });
  } finally {
    model.dispose();
  }
}

function factsOf(
  { name, style, train, eval: evaluation }: NamedRows,
  rows: readonly { row: TrainingRow; judged: JudgedRow }[],
  tokenizer: Tokenizer,
  vocabSize: number,
): Omit<Facts, 'contradicted'> {
  const ranks = rows.flatMap(({ judged }) => [...judged.rank]);
  const means = rows.map(({ row, judged }) => rowMean(row, [...judged.nll]));
  const tokens = ranks.length;
  const nll =
    rows.reduce((sum, { judged }) => sum + judged.nll.reduce((total, one) => total + one, 0), 0) / tokens;
  const known = means.filter((_, at) => rows[at]!.judged.rank.every((rank) => rank === 1));
  const finding = (some: readonly { row: TrainingRow; nll?: number }[]) =>
    findingOf(some, rows.length, tokenizer);
  return {
    ...{ name, style, trainRows: train.length, evalRows: evaluation.length },
    ...{ judgedRows: rows.length, judgedTokens: tokens, nll, perplexity: Math.exp(nll) },
    inTop: ks.map((k) => ({ k, share: ranks.filter((rank) => rank <= k).length / tokens })),
    answerTokens: tokens / rows.length,
    answers: new Set(rows.map(({ row }) => answerOf(row).ids.join())).size,
    plainRows: rows.filter(({ row }) => answerOf(row).begin <= 1).length,
    known: finding(known),
    noise: finding(unlike(means, vocabSize)),
  };
}

/** What a row is told apart by. */
interface RowMean {
  row: TrainingRow;
  nll: number;
  tokens: number;
  /** Of the nll of its tokens. */
  variance: number;
}

/**
 * Rows that are less likely than chance, or far less than the rest of their dataset; the worst first. A mean over few tokens varies more
 * by itself, so that a short row must be further off than a long one.
 */
function unlike(rows: readonly RowMean[], vocabSize: number): RowMean[] {
  const middle = median(rows.map(({ nll }) => nll));
  // Of a normal distribution the deviation is 1.4826 times the median distance from the median.
  const spread = 1.4826 * median(rows.map(({ nll }) => Math.abs(nll - middle)));
  const ofTokens = median(rows.map(({ variance }) => variance));
  const byChance = ofTokens / Math.max(1, median(rows.map(({ tokens }) => tokens)));
  const ofRows = Math.max(spread ** 2 - byChance, leastDeviation ** 2);
  return rows
    .filter(({ nll, tokens }) => {
      const farOff = Math.max(1, deviations * Math.sqrt(ofRows + ofTokens / tokens));
      return nll - middle >= farOff || nll >= Math.max(middle + 0.5, Math.log(vocabSize));
    })
    .sort((a, b) => b.nll - a.nll);
}

function rowMean(row: TrainingRow, nll: readonly number[]): RowMean {
  const own = mean(nll);
  return { row, nll: own, tokens: nll.length, variance: mean(nll.map((one) => (one - own) ** 2)) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
