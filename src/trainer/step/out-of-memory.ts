import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { isPaged } from '../memory/paged-states.js';
import type { TrainingRow } from '../../events/training-row.js';

/**
 * Passes on what a step failed with; an allocation that was refused becomes an error that names the step, its largest micro-batch
 * and settings that need less. What was gathered is let go: the model can be trained again in this process.
 */
export async function outOfMemory(
  cause: unknown,
  step: number,
  window: readonly (readonly TrainingRow[])[],
  { model, args }: { readonly model: CausalLM; readonly args: TrainingConfig },
): Promise<never> {
  if (!AdaptiveTrainerError.isInstance(cause, 'OUT_OF_MEMORY')) throw cause;
  await model.call((native) => native.clearGradients());
  const tokens = Math.max(
    ...window.map((rows) => rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0)),
  );
  const settings = settingsThatHelp(args, tokens, model.device !== 'cpu');
  throw new AdaptiveTrainerError(
    'OUT_OF_MEMORY',
    `Step ${step}, whose largest micro-batch has ${tokens} tokens: expected memory for it on ${model.device}, found that ${
      model.device === 'cpu' ? 'the system' : 'the device'
    } refused some. Settings that need less: ${settings.join(', ')}.`,
    { cause, details: { step, settings } },
  );
}

function settingsThatHelp(args: TrainingConfig, tokens: number, isOnDevice: boolean): string[] {
  const { batchSize, maxTokensPerBatch, gradientAccumulationSteps, gradientCheckpointing, optimizer } = args;
  const rows = `batchSize: ${Math.ceil(batchSize / 2)} with gradientAccumulationSteps: ${gradientAccumulationSteps * 2}`;
  return [
    ...(gradientCheckpointing === true ? [] : ['gradientCheckpointing: true']),
    ...(maxTokensPerBatch === null ? [] : [`maxTokensPerBatch: ${Math.ceil(tokens / 2)}`]),
    ...(maxTokensPerBatch === null && batchSize > 1 ? [rows] : []),
    `maxLengthToken: ${Math.ceil(tokens / 2)}`,
    ...(isOnDevice && !isPaged(optimizer)
      ? ['optimizer: paged_adamw_8bit']
      : optimizer.includes('8bit')
        ? []
        : ['optimizer: adamw_8bit']),
  ];
}
