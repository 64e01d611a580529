import { errorText } from '../../common/error-text.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../../config/schema/parsed-config.js';
import { rowLength } from '../../data/mix/row-list.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingEvent } from '../../events/training-event.js';
import type { AdaptiveTrainerOptions } from '../adaptive-trainer-options.js';
import { isRowArray } from '../batches/is-row-array.js';
import { guardedRows } from './guarded-rows.js';
import { Inspection } from './inspection.js';

export interface InspectionFacts {
  options: AdaptiveTrainerOptions;
  args: TrainingConfig;
  adaptiveLoss: AdaptiveLossConfig;
  /** Passes over the training rows that the run will make. */
  epochs: number;
  /** Whether it goes on from a checkpoint of its own. */
  isResumed: boolean;
  emit: (event: TrainingEvent) => Promise<void>;
}

/**
 * Judges rows before the run, where it writes to a folder, has a tokenizer, and has rows that are held out or to be kept. To be called
 * while the model is the base, once it computes in the type of the run. Failing ends no run.
 */
export async function beginInspection(facts: InspectionFacts): Promise<Inspection | undefined> {
  const { options, args, adaptiveLoss, isResumed, emit } = facts;
  const { model, tokenizer, outputDir, evalDataset, retentionDataset = [], signal } = options;
  const evalRows = evalDataset !== undefined && isRowArray(evalDataset) ? evalDataset : [];
  const given = options.guardedDataset ?? retentionDataset;
  if (args.inspectRows === 0 || outputDir === undefined || tokenizer === undefined) return undefined;
  if (evalRows.length + given.length === 0) return undefined;
  try {
    // A model of new weights has nothing to lose.
    const isNew = args.fromScratch || model.weightFiles.length === 0;
    const guarded = isNew
      ? []
      : guardedRows(tokenizer, given).filter((row) => fits(row.inputIds, model.vocabSize));
    return await Inspection.begin({
      ...{ model, tokenizer, outputDir, evalRows, isResumed, signal },
      guardedRows: guarded,
      topK: adaptiveLoss.topK,
      rows: args.inspectRows,
      runTokens: tokensOf(facts),
      onProgress: (when, done, total) => emit({ type: 'inspect', when, done, total }),
    });
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
    await emit(notInspected(error));
    return undefined;
  }
}

/** What is said where rows could not be judged. */
export function notInspected(error: unknown): TrainingEvent {
  const message = `Rows were not judged before and after the run: ${errorText(error)}. The run goes on without.`;
  return { type: 'warning', code: 'NOT_INSPECTED', message };
}

function fits(ids: ArrayLike<number>, vocabSize: number): boolean {
  return ids.length > 1 && Array.from(ids).every((id) => id < vocabSize);
}

function tokensOf({ options: { trainDataset }, epochs }: InspectionFacts): number {
  if (!isRowArray(trainDataset)) return Infinity;
  let tokens = 0;
  for (let row = 0; row < trainDataset.length; row++) tokens += rowLength(trainDataset, row);
  return tokens * epochs;
}
