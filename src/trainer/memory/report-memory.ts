import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { Ranks } from '../../ranks/ranks.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { NativeModel } from '../../engine/addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { type MemoryReport } from '../../events/memory-report.js';
import type { RunMemory } from './block-keeper.js';
import type { MemoryInput } from './memory-estimate.js';
import { checkMemory } from './check-memory.js';
import { contextBytes, workspaceBytes } from './device-peak.js';
import type { PlannedRun } from './planned-run.js';
import { largestMicroBatch, type LargestMicroBatch } from '../batches/largest-micro-batch.js';

/**
 * What training on these rows will need, beside what is free. Asked before the optimizer exists.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY where it cannot fit
 */
export async function reportMemory(
  model: CausalLM,
  rows: readonly TrainingRow[],
  args: TrainingConfig,
  precision: Precision,
  ranks: Ranks,
): Promise<{ memory: MemoryReport; largest: LargestMicroBatch }> {
  const there = await model.call((native) => native.memory());
  const largest = await largestMicroBatch(rows, args);
  const run = await runMemory(model, args, precision, ranks);
  const place = memoryOfRun(there, model.device, ranks.launch?.localSize ?? 1);
  return { memory: checkMemory({ ...run, args, ...largest, ...place }), largest };
}

type NativeMemory = Awaited<ReturnType<NativeModel['memory']>>;

/**
 * What a run finds of the memory that its model is in.
 * @param device as the engine names it
 * @param ranks how many of this machine share its memory; each has a device of its own
 */
export function memoryOfRun(
  { weights, optimizer, available: ofMachine, device: ofDevice }: NativeMemory,
  device: string,
  ranks: number,
): Pick<PlannedRun, 'available' | 'held' | 'base' | 'device'> {
  const available = ofMachine / ranks;
  const ofProcess = process.memoryUsage.rss();
  if (ofDevice === undefined)
    return { available, held: ofProcess, base: Math.max(0, ofProcess - weights - optimizer) };
  return {
    available: ofDevice.available,
    // What cuBLAS works in comes with the first product, and is little beside what the estimate is right to.
    held: contextBytes + workspaceBytes + weights + optimizer,
    base: ofProcess,
    device: { name: device, total: ofDevice.total, host: { base: ofProcess, available } },
  };
}

/**
 * What the memory of a run depends on beside the size of its micro-batches.
 * @param ranks how many there are, and which one is meant; default: the one that holds most
 */
export async function runMemory(
  model: CausalLM,
  args: TrainingConfig,
  precision: Precision,
  ranks: { size: number; rank?: number },
): Promise<RunMemory> {
  return {
    ...(ranks.size > 1 ? { shards: await shards(model, ranks) } : {}),
    decoder: model.decoder,
    parameters: model.parameterCount,
    trainable: model.trainableCount,
    quantized: model.quantization,
    ...(model.frozen.size > 0 ? { freezing: freezing(model) } : {}),
    ...(model.device === 'cpu' ? {} : { device: { name: model.device, host: { base: 0 } } }),
    args,
    precision,
    bfloat16Instructions: loadAddon().bfloat16Instructions,
    retainedTokens: retainedTokens(args),
    measuresForgetting: args.evalForgetting === true,
  };
}

async function shards(
  model: CausalLM,
  { size, rank }: { size: number; rank?: number },
): Promise<MemoryInput['shards']> {
  const sizes = await model.call((native) => native.shards({ ranks: size }));
  const most = Math.max(...sizes.map(({ trained }) => trained));
  return { sizes, rank: rank ?? sizes.findIndex(({ trained }) => trained === most) };
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
