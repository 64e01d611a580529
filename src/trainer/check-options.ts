import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { checkDataset, checkRows } from './batches/check-dataset.js';
import { isRowArray } from './batches/is-row-array.js';
import { refuseOnceOnly } from './batches/one-pass.js';
import { plannedEvaluations, watchesMetric } from './evaluation/evaluation-due.js';
import type { RunProgress } from './run-progress.js';

/**
 * Checks what the model and the rows have to do with each other.
 * @throws AdaptiveTrainerError INVALID_INPUT for a topK above the vocabulary, for a base in 4 or 8 bits without an adapter, and for what `metricForBestModel` needs; DATASET_INVALID for datasets without rows, and
 * for a first row that cannot be trained on
 */
export function checkOptions(
  options: AdaptiveTrainerOptions & { outputDir?: string | undefined },
  args: TrainingConfig,
  { topK, loss }: AdaptiveLossConfig,
): void {
  const { trainDataset, evalDataset } = options;
  const { vocabSize } = options.model;
  if (topK > vocabSize) {
    const message = `Expected topK of at most the vocabulary (${vocabSize}), found ${topK}.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message, { details: { topK, vocabSize } });
  }
  checkBits(options.model, args);
  checkDataset(trainDataset, 'trainDataset', options.model);
  if (evalDataset !== undefined) checkDataset(evalDataset, 'evalDataset', options.model);
  if (!watchesMetric(args)) return;
  const { loadBestModelAtEnd, metricForBestModel, saveStrategy } = args;
  const reason = loadBestModelAtEnd
    ? 'loadBestModelAtEnd is true'
    : saveStrategy === 'best'
      ? 'saveStrategy is "best"'
      : args.earlyStoppingPatience !== null
        ? 'earlyStoppingPatience is given'
        : 'lrSchedulerType is "reduce_lr_on_plateau"';
  const missing = (what: string, hint: string) => {
    const message = `Expected ${what}, since ${reason}, found none. ${hint}`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  };
  if (evalDataset === undefined)
    missing('evaluation rows', 'Give an evalDataset, or datasets with an evaluation split.');
  if (loadBestModelAtEnd && options.outputDir === undefined)
    missing('an outputDir to keep the best checkpoint in', 'Give one.');
  if (metricForBestModel === 'adaptiveLoss' && loss !== 'adaptive')
    missing(
      'the adaptive loss in each evaluation (metricForBestModel)',
      `The loss is ${loss}; choose another metric, "loss" for example.`,
    );
}

function checkBits({ quantization, adapter }: CausalLM, { loadIn4bit, loadIn8bit }: TrainingConfig): void {
  if (quantization !== undefined && adapter === undefined) {
    const message = `Expected an adapter on a base in ${quantization.type}, which is frozen, found none. Add one: addAdapter(), or the option adapter of CausalLM.fromPretrained.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  }
  if (quantization !== undefined || !(loadIn4bit || loadIn8bit)) return;
  const message = `Expected a model whose base is in ${loadIn4bit ? 4 : 8} bits, since ${loadIn4bit ? 'loadIn4bit' : 'loadIn8bit'} is true, found a whole one. Open it so: CausalLM.fromPretrained(dir, { quantization: {} }).`;
  throw new AdaptiveTrainerError('INVALID_INPUT', message);
}

/**
 * Checks every row of the arrays, and that the evaluation's rows will be there each time.
 * @throws AdaptiveTrainerError DATASET_INVALID
 */
export async function checkAllRows(
  { model, trainDataset, evalDataset, signal }: AdaptiveTrainerOptions,
  args: TrainingConfig,
  progress: RunProgress,
): Promise<void> {
  if (isRowArray(trainDataset)) await checkRows(trainDataset, 'trainDataset', model, signal);
  if (evalDataset === undefined) return;
  if (isRowArray(evalDataset)) await checkRows(evalDataset, 'evalDataset', model, signal);
  else refuseOnceOnly(evalDataset, 'evalDataset', plannedEvaluations(args, progress));
}
