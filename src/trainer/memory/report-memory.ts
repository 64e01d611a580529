import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { type MemoryReport } from '../../events/memory-report.js';
import type { MemoryInput } from './memory-estimate.js';
import { checkMemory } from './check-memory.js';
import { largestMicroBatch } from '../batches/largest-micro-batch.js';

/**
 * What training on these rows will need, beside what is free. Asked before the optimizer exists.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY where it cannot fit
 */
export async function reportMemory(
  model: CausalLM,
  rows: readonly TrainingRow[],
  args: TrainingConfig,
  precision: Precision,
): Promise<MemoryReport> {
  const { weights, gradients, optimizer, available } = await model.call((native) => native.memory());
  const held = process.memoryUsage.rss();
  const base = Math.max(0, held - weights - gradients - optimizer);
  const { bfloat16Instructions } = loadAddon();
  const { decoder, parameterCount: parameters, trainableCount: trainable } = model;
  return checkMemory(
    {
      decoder,
      parameters,
      trainable,
      quantized: model.quantization,
      ...(model.frozen.size > 0 ? { freezing: freezing(model) } : {}),
      args,
      precision,
      bfloat16Instructions,
      ...(await largestMicroBatch(rows, args)),
      retainedTokens: retainedTokens(args),
      measuresForgetting: args.evalForgetting === true,
      base,
      available,
    },
    held,
  );
}

function freezing({ trainable, weightNames, decoder }: CausalLM): MemoryInput['freezing'] {
  const [embedding] = weightNames.names;
  const trained = new Set(trainable.map(({ name }) => name));
  const tables = trainable.filter(
    ({ name }) => (name === embedding && !decoder.tiedHead) || /(^|\.)wpe\./.test(name),
  );
  const layers = trainable.map(({ name }) => Number(/\.(\d+)\./.exec(name)?.[1] ?? decoder.layers.length));
  const isEmbedded = trained.has(embedding!) || tables.length > 0;
  return {
    lookedUpOnly: tables.reduce(
      (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    ),
    blocksBelow: isEmbedded ? 0 : Math.min(...layers),
    isHeadTrained: trained.has(decoder.tiedHead ? embedding! : 'lm_head.weight'),
  };
}

/** Of a micro-batch: at most a row more than what a step takes is shared out over its micro-batches. */
export function retainedTokens({ retention, gradientAccumulationSteps }: TrainingConfig): number {
  if (retention === null) return 0;
  const { tokensPerStep, length } = retention;
  return Math.max(length, Math.ceil(tokensPerStep / gradientAccumulationSteps));
}
