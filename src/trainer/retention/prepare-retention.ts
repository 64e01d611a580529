import type { AdaptiveLossConfig, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { ComputeType } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
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
  /** Lets go of what was kept for the run. */
  close: () => Promise<void>;
}

interface Facts {
  options: AdaptiveTrainerOptions;
  args: TrainingConfig;
  adaptiveLoss: AdaptiveLossConfig;
  computeType: ComputeType;
  masterType: ComputeType;
}

/**
 * Makes ready what holds the model to its base: texts, what the base makes of them, its weights. To be called while the model is
 * the base, once it computes in the type of the run and has its optimizer.
 * @param pull of the weights to their start, see pullStrength()
 */
export async function prepareRetention(facts: Facts, pull: number): Promise<PreparedRetention> {
  const { options, args, adaptiveLoss, computeType, masterType } = facts;
  const { model, trainDataset, signal, retentionCache: cache, onRetentionProgress: onProgress } = options;
  const plan = args.retention;
  const isReplayed = plan !== null && (plan.weight > 0 || adaptiveLoss.maxKlDivergence !== null);
  const replayed = isReplayed ? await replayRows(options, args) : undefined;
  const measured = args.evalForgetting ? await texts(options, { ...meter, seed: seeds.meter }) : undefined;
  const rows = isRowArray(trainDataset) ? trainDataset : undefined;
  let retention: Retention | undefined;
  if (replayed !== undefined || measured !== undefined) {
    const chosen = plan?.auto && replayed ? automaticPlan(plan, model, args, rows, replayed.rows) : plan;
    retention = await Retention.prepare({
      ...{ model, computeType, meter: measured, seed: args.seed, cache, signal, onProgress },
      maxKlDivergence: isReplayed ? adaptiveLoss.maxKlDivergence : null,
      replay: replayed && { rows: replayed, plan: chosen! },
    });
  }
  const nothing = { close: async () => {} };
  const { close } = pull > 0 ? await keepBaseWeights(model, masterType, cache) : nothing;
  return { retention, close };
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

async function replayRows(options: AdaptiveTrainerOptions, args: TrainingConfig): Promise<RetentionRows> {
  const { source, samples, length } = args.retention!;
  const lists: RetentionRows[] = [];
  if (source.includes('self')) lists.push(await texts(options, { samples, length, seed: seeds.replay }));
  const given = options.retentionRows ?? [];
  if (source.some((text) => text !== 'self') && given.length === 0) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      'Expected the rows of the datasets that retention.source names in retentionRows, found none. Give the trainer their token ids, or use trainAdaptively, which reads them.',
    );
  }
  if (given.length > 0) lists.push(ownRows(given));
  return joinedRows(lists);
}

function texts(
  { model, tokenizer, signal, retentionCache: cache, onRetentionProgress }: AdaptiveTrainerOptions,
  request: { samples: number; length: number; seed: number },
): Promise<RetentionRows> {
  return baseTexts(model, tokenizer, {
    ...{ ...request, cache, signal },
    onProgress: (done, total) => onRetentionProgress?.({ doing: 'writing', done, total }),
  });
}
