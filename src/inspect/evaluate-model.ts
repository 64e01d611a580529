import { resolve } from 'node:path';
import { adapterBase, isAdapterFolder } from '../common/adapter-folder.js';
import { throwIfAborted } from '../common/throw-if-aborted.js';
import { parseConfig } from '../config/read/parse-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import type { TokenArrays } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { EvalReport, EvaluatedGroup } from '../events/eval-report.js';
import type { TrainingRow } from '../events/training-row.js';
import { adaptiveState } from '../loss/adaptive-state.js';
import { findAdapter } from '../model/adapter/find-adapter.js';
import type { CausalLM } from '../model/causal-lm.js';
import { heldOut } from '../open/held-out.js';
import { mixDatasets } from '../open/mix-datasets.js';
import { evaluateRows, type EvaluationReport } from '../trainer/evaluation/evaluate-rows.js';
import { bootstrap } from '../trainer/inspection/bootstrap.js';
import { chooseRows, type ChosenRow } from '../trainer/inspection/chosen-rows.js';
import {
  compareTallies,
  groupNumbers,
  groupsOf,
  type RowGroup,
  type RowPlace,
  type RowTally,
} from '../trainer/inspection/compare.js';
import { guardedRows } from '../trainer/inspection/guarded-rows.js';
import { confidence } from '../trainer/step/confidence.js';
import { checkMostRows, type JudgingHooks, type RowsInHand } from './judging-hooks.js';
import {
  findModelToJudge,
  JudgingView,
  openToJudge,
  stopped,
  type ModelToJudge,
} from './open-for-judging.js';
import { refuseOtherTokens } from './refuse-other-tokens.js';

/** What `evaluateModel` takes beside the model and the configuration. */
export interface EvaluateModelOptions extends JudgingHooks {
  /**
   * Another model to set beside this one: `base` for the one it was made from (of an adapter the one it names, else that of the
   * configuration), or a folder or name. Default: none.
   */
  against?: string | undefined;
  /** Held-out rows at most, evenly spread over the datasets. Default: all, as in a run. */
  rows?: number | undefined;
  /** @internal Called for each model while it is open. */
  whileOpen?: ((model: CausalLM, rows: RowsInHand, which: 'model' | 'against') => Promise<void>) | undefined;
}

const mostGuarded = 200;

/**
 * The numbers of training for a saved model or adapter: loss, perplexity and token shares on the held-out rows of a configuration's
 * datasets, by dataset and style, as a run with this configuration evaluates; and on texts that are to be kept, those of
 * `retention.source` and a small set of general text. With `against`, what is better and worse than in another model.
 *
 * @param modelName a folder, or a name on the Hub
 * @param options a configuration as for `trainAdaptively`; nothing of it is trained or written
 * @throws AdaptiveTrainerError CONFIG_INVALID with all faults at once; INVALID_INPUT where there is no base, or models do not share
 * their tokens; DATASET_INVALID without held-out rows; ABORTED; whatever opening models and reading the data throw
 */
export async function evaluateModel(
  modelName: string,
  options: TrainAdaptivelyOptions,
  hooks: EvaluateModelOptions = {},
): Promise<EvalReport> {
  const { against, rows: most = Infinity, signal, whileOpen } = hooks;
  checkMostRows(most);
  const config = parseConfig(options);
  const view = new JudgingView(hooks);
  const own = await findModelToJudge(modelName, config, view, signal);
  const other = against === undefined ? undefined : await findOther(own, against, config, view, signal);
  const { chosen, rowsInAll } = await rowsToJudge(own, config, view, most, signal);
  if (other !== undefined) refuseOtherTokens(own, other, chosen);
  const { topK } = config.adaptiveLossConfig;
  const judge = async (one: ModelToJudge, which: 'model' | 'against') => {
    const model = await openToJudge(one, config, view, signal);
    try {
      const judged = await judgeModel(model, one.name, chosen, config, view, signal);
      await whileOpen?.(model, { chosen, tokenizer: own.tokenizer, topK, signal }, which);
      return judged;
    } finally {
      model.dispose();
    }
  };
  // One after the other, so that no more than one is in memory.
  const found = await judge(own, 'model');
  const before = other === undefined ? undefined : await judge(other, 'against');
  const places = chosen.map(placeOf);
  const { bySource, byStyle, seconds, ...metrics } = found.report;
  return {
    kind: 'eval',
    model: modelName,
    topK,
    rows: chosen.filter(({ set }) => set === 'eval').length,
    rowsInAll,
    ...{ metrics, bySource, byStyle },
    groups: groupsOf(places).map((group) => evaluatedGroup(group, found.tallies)),
    ...(before === undefined
      ? {}
      : {
          against: {
            model: other!.name,
            comparison: compareTallies(places, before.tallies, found.tallies, topK),
          },
        }),
    seconds: seconds + (before?.report.seconds ?? 0),
  };
}

async function findOther(
  own: ModelToJudge,
  against: string,
  config: ParsedConfig,
  view: JudgingView,
  signal: AbortSignal | undefined,
): Promise<ModelToJudge> {
  const { dir } = own.source;
  const isBase = against === 'base';
  const adapter = isBase && isAdapterFolder(dir) ? await findAdapter(dir) : undefined;
  const name = adapter !== undefined ? adapterBase(adapter) : isBase ? config.modelName : against;
  const other = await findModelToJudge(name, config, view, signal, adapter?.revision);
  if (resolve(other.source.dir) === resolve(dir)) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected another model to set ${own.name} against, found the same one${isBase ? `: modelName of the configuration is its base` : ''}. ` +
        'Evaluate the model that was trained (the folder final_model of the run), or name another one.',
      { details: { argument: 'against', found: against } },
    );
  }
  return other;
}

/** The held-out rows, then texts that are to be kept. */
async function rowsToJudge(
  { tokenizer, longest }: ModelToJudge,
  config: ParsedConfig,
  { run: view }: JudgingView,
  most: number,
  signal: AbortSignal | undefined,
): Promise<{ chosen: ChosenRow[]; rowsInAll: number }> {
  const data = await mixDatasets(config, config.datasets, tokenizer, longest, view, signal);
  if (data.eval.length === 0) {
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      'Expected held-out rows to evaluate on, found none: each dataset has a single row and no validation split. Add rows or a validation split.',
    );
  }
  const texts =
    config.retentionDatasets.length === 0
      ? []
      : heldOut(await mixDatasets(config, config.retentionDatasets, tokenizer, longest, view, signal));
  const bounds = { tokens: Infinity, leastRows: 0 };
  const guarded = guardedRows(tokenizer, texts).filter(
    ({ inputIds }) => inputIds.length > 1 && inputIds.length <= longest,
  );
  return {
    chosen: [
      ...chooseRows('eval', data.eval, { ...bounds, rows: most }),
      ...chooseRows('retention', guarded, { ...bounds, rows: mostGuarded }),
    ],
    rowsInAll: data.eval.length,
  };
}

/** What a model makes of rows, in all and of each. */
async function judgeModel(
  model: CausalLM,
  name: string,
  chosen: readonly ChosenRow[],
  config: ParsedConfig,
  view: JudgingView,
  signal: AbortSignal | undefined,
): Promise<{ report: EvaluationReport; tallies: RowTally[] }> {
  const { trainingConfig: args, adaptiveLossConfig: loss } = config;
  const tallies: RowTally[] = [];
  const onBatch = (batch: readonly TrainingRow[], tokens: TokenArrays) => {
    throwIfAborted(signal, stopped);
    tallies.push(...talliesOf(batch.length, tokens, loss.topK));
    view.onProgress({ model: name, done: tallies.length, total: chosen.length });
  };
  const request = {
    ...{ loss: loss.loss, topK: loss.topK, scale: 1, state: adaptiveState() },
    confidence: confidence(args.numEpochs, loss),
  };
  const contents = (set: ChosenRow['set']) =>
    chosen.filter((row) => row.set === set).map(({ content }) => content);
  const report = await evaluateRows(model, contents('eval'), args.evalBatchSize, request, onBatch);
  const guarded = contents('retention');
  if (guarded.length > 0) await evaluateRows(model, guarded, args.evalBatchSize, request, onBatch);
  return { report, tallies };
}

function talliesOf(
  rows: number,
  { rows: rowOf, nll, rank, predicted, labels }: TokenArrays,
  topK: number,
): RowTally[] {
  const tallies = Array.from({ length: rows }, () => ({ tokens: 0, nll: 0, correct: 0, nearOrCorrect: 0 }));
  rowOf.forEach((row, at) => {
    const tally = tallies[row]!;
    tally.tokens++;
    tally.nll += nll[at]!;
    if (predicted[at] === labels[at]) tally.correct++;
    if (predicted[at]! >= 0 && rank[at]! < topK) tally.nearOrCorrect++;
  });
  return tallies;
}

function placeOf({ set, content }: ChosenRow): RowPlace {
  return { set, dataset: content.source ?? 'rows', style: content.learningStyle };
}

function evaluatedGroup(
  { set, dataset: name, style, rows }: RowGroup,
  tallies: readonly RowTally[],
): EvaluatedGroup {
  const own = rows.map((row) => tallies[row]!);
  const interval = (key: 'nll' | 'correct') =>
    bootstrap(own.map((tally) => ({ value: tally[key], tokens: tally.tokens })));
  return {
    ...{ name, set, rows: rows.length },
    ...(set === 'eval' ? { style } : {}),
    ...groupNumbers(own),
    nllInterval: interval('nll'),
    correctInterval: interval('correct'),
  };
}
