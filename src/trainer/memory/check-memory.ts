import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { format } from '../../common/format.js';
import type { MemoryReport } from '../../events/memory-report.js';
import { fittingBlocks } from './fitting-blocks.js';
import { memoryEstimate, type MemoryInput } from './memory-estimate.js';

/**
 * The estimate of a run, with as many blocks kept as fit.
 * @param held what the process has of the total already
 */
export function plannedMemory(input: MemoryInput, held: number): MemoryReport {
  const { available, decoder, args } = input;
  const { total, activations, lossChunk } = memoryEstimate(input);
  const kept = fittingBlocks(input, available + held - (total - activations - lossChunk));
  const report = { ...memoryEstimate({ ...input, keptBlocks: kept }), available };
  if (args.gradientCheckpointing !== 'auto') return report;
  return { ...report, keptBlocks: { kept, all: decoder.layers.length } };
}

/**
 * The estimate of a run beside what is free.
 * @param held what the process has of the total already
 * @throws AdaptiveTrainerError OUT_OF_MEMORY naming three settings, where the rest does not fit into what is free
 */
export function checkMemory(input: MemoryInput & { args: TrainingConfig }, held: number): MemoryReport {
  const estimate = plannedMemory(input, held);
  const free = input.available + held;
  if (estimate.total <= free) return estimate;
  const advice = memoryAdvice(input, free);
  const named = advice
    .slice(0, 3)
    .map(({ name, total }) => `${name} (${format.bytes(total)})`)
    .join(', ');
  const parts = (['weights', 'gradients', 'optimizer', 'activations', 'lossChunk', 'base'] as const)
    .map((part) => `${part === 'lossChunk' ? 'loss chunk' : part} ${format.bytes(estimate[part])}`)
    .join(', ');
  throw new AdaptiveTrainerError(
    'OUT_OF_MEMORY',
    `Expected a run that fits into ${format.bytes(free)} of memory, found one of about ${format.bytes(estimate.total)} (${parts}). What would help most: ${named}.`,
    {
      details: { estimate, available: input.available, settings: advice.slice(0, 3).map(({ name }) => name) },
    },
  );
}

/** Settings that would need less, with what the run would need with each. Those that are enough alone come first, then those that save most. */
export function memoryAdvice(
  input: MemoryInput & { args: TrainingConfig },
  free: number,
): { name: string; total: number }[] {
  const advice = changes(input).map(([name, changed]) => ({
    name,
    total: memoryEstimate({ ...input, ...changed }).total,
  }));
  return advice.sort((a, b) => Number(b.total <= free) - Number(a.total <= free) || a.total - b.total);
}

const longRow = 256; // tokens

/** Settings that need less, as the user would write them, with what they change in the estimate. */
function changes(input: MemoryInput & { args: TrainingConfig }): [string, Partial<MemoryInput>][] {
  const { args, precision, tokens, labelledTokens } = input;
  const list: [string, Partial<MemoryInput>][] = [];
  const withArgs = (changed: Partial<TrainingConfig>) => ({ args: { ...args, ...changed } });
  if (!args.gradientCheckpointing)
    list.push(['gradientCheckpointing: true', withArgs({ gradientCheckpointing: true })]);
  const half = { tokens: Math.ceil(tokens / 2), labelledTokens: Math.ceil(labelledTokens / 2) };
  if (args.maxTokensPerBatch !== null) {
    list.push([`maxTokensPerBatch: ${half.tokens}`, half]);
  } else if (args.batchSize > 1) {
    const share = 1 / args.batchSize;
    const fewer = {
      tokens: Math.ceil(tokens * share),
      labelledTokens: Math.ceil(labelledTokens * share),
    };
    list.push([
      `batchSize: 1 with gradientAccumulationSteps: ${args.batchSize * args.gradientAccumulationSteps}`,
      fewer,
    ]);
  }
  if (precision !== 'bf16-true') list.push(['precision: "bf16-true"', { precision: 'bf16-true' }]);
  if (input.shards !== undefined && args.zeroStage < 2)
    list.push(['zeroStage: 2', withArgs({ zeroStage: 2 })]);
  if (!args.optimizer.endsWith('8bit'))
    list.push(['optimizer: "adamw_8bit"', withArgs({ optimizer: 'adamw_8bit' })]);
  list.push(['optimizer: "adafactor"', withArgs({ optimizer: 'adafactor' })]);
  const longest = args.maxTokensPerBatch === null ? tokens / args.batchSize : tokens;
  // Of short rows it would leave out most.
  if (longest >= longRow) list.push([`maxLengthToken: ${Math.ceil(longest / 2)}`, half]);
  return list;
}
