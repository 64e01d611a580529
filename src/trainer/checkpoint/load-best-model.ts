import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import type { EndEvent, WarningEvent } from '../../events/training-event.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { BestModel } from '../evaluation/best-model.js';
import { verifyCheckpoint } from './checkpoint-files.js';

/**
 * Gives the model the weights of the best checkpoint.
 * @param outputDir where it lies, unless it is elsewhere
 * @returns which it was; a warning where there is none, and the model stays as it is
 */
export async function loadBestModel(
  model: CausalLM,
  outputDir: string,
  { metric, saved }: Pick<BestModel, 'metric' | 'saved'>,
): Promise<NonNullable<EndEvent['best']> | WarningEvent> {
  const warning = (why: string): WarningEvent => ({
    type: 'warning',
    code: 'NO_BEST_MODEL',
    message: `The final model is that of the last step, not the best one (loadBestModelAtEnd): ${why}`,
  });
  if (saved === null) return warning('no checkpoint was written at a step that was evaluated.');
  const { step, value, elsewhere } = saved;
  const path = join(elsewhere?.folder ?? outputDir, `checkpoint-${step}`);
  try {
    await verifyCheckpoint(path);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CHECKPOINT_INVALID')) throw error;
    return warning(error.message);
  }
  await model.restore(path);
  return { step, metric, value };
}
