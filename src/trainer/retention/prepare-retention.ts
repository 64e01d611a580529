import { errorText } from '../../common/error-text.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { ComputeType } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TextsEvent } from '../../events/training-event.js';
import { baseTexts } from '../../model/generation/base-texts.js';
import type { AdaptiveTrainerOptions } from '../adaptive-trainer-options.js';
import { isRowArray } from '../batches/is-row-array.js';
import { automaticPlan } from './automatic-plan.js';
import { keepBaseWeights } from './base-weights.js';
import { defaultPull } from './pull-rate.js';
import { Retention } from './retention.js';
import { joinedRows, ownRows, type RetentionRows } from './retention-rows.js';

/** Of the texts that are replayed and of those that forgetting is measured on: far enough apart that no row is in both. */
const seeds = { replay: 0, meter: 1_000_000_000 };
const meter = { samples: 150, length: 64 };

export interface PreparedRetention {
  /** undefined: nothing is replayed or measured. */
  retention: Retention | undefined;
  /** Why forgetting is not measured, where it was to be but not insisted on; undefined: it is, or was not to be. */
  unmeasured: string | undefined;
  /** Lets go of what was kept for the run. */
  close: () => Promise<void>;
}

interface Facts {
  options: AdaptiveTrainerOptions;
  args: TrainingConfig;
  adaptiveLoss: AdaptiveLossConfig;
  computeType: ComputeType;
  masterType: ComputeType;
  /** Whether forgetting is to be measured, see measuresForgetting(). */
  isMeasured: boolean;
  /** Told how far the base is with writing texts, or with reading what is to be held. */
  onTexts: (event: TextsEvent) => void;
}

/**
 * Makes ready what holds the model to its base: texts, what the base makes of them, its weights. To be called while the model is
 * the base, once it computes in the type of the run and has its optimizer.
 * @param pull of the weights to their start, see pullStrength()
 */
export async function prepareRetention(facts: Facts, pull: number): Promise<PreparedRetention> {
  const { options, args, adaptiveLoss, computeType, masterType, onTexts } = facts;
  const { model, trainDataset, signal, retentionCache: cache } = options;
  const plan = args.retention;
  const isReplayed = plan !== null && (plan.weight > 0 || adaptiveLoss.maxKlDivergence !== null);
  const replayed = isReplayed ? await replayRows(facts) : undefined;
  let unmeasured: string | undefined;
  // A measurement that nobody asked for ends no run.
  const onNotMeasured = (error: unknown) => {
    if (args.evalForgetting === true || AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
    unmeasured = errorText(error);
    return undefined;
  };
  const measured = facts.isMeasured
    ? await texts(facts, { ...meter, seed: seeds.meter }).catch(onNotMeasured)
    : undefined;
  const rows = isRowArray(trainDataset) ? trainDataset : undefined;
  let retention: Retention | undefined;
  if (replayed !== undefined || measured !== undefined) {
    const chosen = plan?.auto && replayed ? automaticPlan(plan, model, args, rows, replayed.rows) : plan;
    retention = await Retention.prepare({
      ...{ model, computeType, meter: measured, onNotMeasured, seed: args.seed, cache, signal },
      onProgress: (done, total) => onTexts({ type: 'texts', doing: 'reading', done, total }),
      maxKlDivergence: isReplayed ? adaptiveLoss.maxKlDivergence : null,
      replay: replayed && { rows: replayed, plan: chosen! },
    });
  }
  const nothing = { close: async () => {} };
  const { close } = pull > 0 ? await keepBaseWeights(model, masterType, cache) : nothing;
  return { retention, unmeasured, close };
}

/**
 * Whether a run measures forgetting: as `evalForgetting` says, else where it evaluates a model that knows something already.
 * @param evaluations that the run will make
 */
export function measuresForgetting(
  args: TrainingConfig,
  { model, evalDataset }: Pick<AdaptiveTrainerOptions, 'model' | 'evalDataset'>,
  evaluations: number,
): boolean {
  if (args.evalForgetting !== null) return args.evalForgetting;
  const isNew = args.fromScratch || model.weightFiles.length === 0;
  return !isNew && evalDataset !== undefined && evaluations > 0;
}

/** Σ over the run of what a step pulls the weights to their start by; 0: they are not pulled. */
export function pullStrength(args: TrainingConfig, { trainDataset }: AdaptiveTrainerOptions): number {
  if (args.retention === null) return 0;
  const { pullToBase } = args.retention;
  if (pullToBase !== null) return pullToBase;
  // Rows that are to be known by heart are not, where weights are pulled.
  const isByHeart =
    isRowArray(trainDataset) && trainDataset.every(({ learningStyle }) => learningStyle === 'attention');
  return isByHeart ? 0 : defaultPull;
}

async function replayRows(facts: Facts): Promise<RetentionRows> {
  const { options, args } = facts;
  const { source, samples, length } = args.retention!;
  const lists: RetentionRows[] = [];
  if (source.includes('self')) lists.push(await texts(facts, { samples, length, seed: seeds.replay }));
  const given = options.retentionDataset ?? [];
  if (source.some((text) => text !== 'self') && given.length === 0) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      'Expected the rows of the datasets that retention.source names in retentionDataset, found none. Give them to the trainer, or use trainAdaptively, which reads them.',
    );
  }
  if (given.length > 0) lists.push(ownRows(given.map(({ inputIds }) => inputIds)));
  return joinedRows(lists);
}

function texts(
  { options, onTexts }: Facts,
  request: { samples: number; length: number; seed: number },
): Promise<RetentionRows> {
  const { model, tokenizer, signal, retentionCache: cache } = options;
  return baseTexts(model, tokenizer, {
    ...{ ...request, cache, signal },
    onProgress: (done, total) => onTexts({ type: 'texts', doing: 'writing', done, total }),
  });
}
