import type { HostMemory, MemoryEstimate } from '../../events/memory-report.js';
import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { DecoderConfig, ShardSize } from '../../engine/addon.js';
import type { Quantization } from '../../model/quantization/quantization.js';
import { activations, type Activations } from './activations.js';
import { attentionBytes, contextBytes, deviceLoss, devicePeak, workspaceBytes } from './device-peak.js';
import { bytesOfState } from './optimizer-bytes.js';

export interface MemoryInput {
  decoder: DecoderConfig;
  parameters: number;
  /** Of these, the ones that training moves; the others are frozen. Default: all. */
  trainable?: number;
  /** What of the frozen ones is kept in 4 or 8 bits. Default: nothing. */
  quantized?: Pick<Quantization, 'parameters' | 'bytes'> | undefined;
  /** Values that an adapter began as and that are kept beside it, in float32 (PiSSA, OLoRA). Default: none. */
  takenOut?: number;
  /** What else follows from what is frozen. Default: nothing is, or all below an adapter. */
  freezing?: {
    /** Values that are trained and looked up alone: embeddings that are no head. */
    lookedUpOnly: number;
    /** Blocks below the lowest one that is trained. */
    blocksBelow: number;
    isHeadTrained: boolean;
  };
  precision: Precision;
  /** The device with memory of its own that it is computed on, whose bytes are counted. Default: the CPU. */
  device?: DeviceOfRun | undefined;
  /** On a device: whether the loss keeps numerators where there is room. Default: no, for the least that is needed. */
  keepsNumerators?: boolean;
  /** On a device: bytes of optimizer state that are there, where others are in main memory. Default: all. */
  statesOnDevice?: number | undefined;
  /** Of the CPU; without them products of bfloat16 go by way of float32. */
  bfloat16Instructions: boolean;
  args: Pick<
    TrainingConfig,
    'optimizer' | 'momentum' | 'gradientCheckpointing' | 'gradientAccumulationSteps'
  > &
    Partial<Pick<TrainingConfig, 'optimArgs' | 'zeroStage' | 'labelSmoothingFactor'>>;
  /** What each of several ranks holds where `zeroStage` shares out, and which one is meant. Default: one rank. */
  shards?: { sizes: readonly ShardSize[]; rank: number } | undefined;
  /** With `gradientCheckpointing: 'auto'`, how many of the last blocks keep their activations. Default: none. */
  keptBlocks?: number;
  /** Of the largest micro-batch. */
  tokens: number;
  labelledTokens: number;
  /** Default: one. */
  rows?: number;
  /** Tokens that hold the model to its base, beside those of a micro-batch. Default: none. */
  retainedTokens?: number;
  /** Whether forgetting is measured. Default: no. */
  measuresForgetting?: boolean;
  /** What the process holds of main memory without the model. Not counted on a device. */
  base: number;
  /** What is free as a micro-batch begins, which the loss takes a part of. */
  available: number;
}

/** A device with memory of its own, and main memory beside it. */
export interface DeviceOfRun {
  name: string;
  /** Bytes that it has in all; undefined: it is not known. */
  total?: number;
  host: Pick<HostMemory, 'base' | 'available'>;
}

const gibibyte = 2 ** 30;
const tileEntries = 2 ** 20;
/** What the process grows by once it computes: code that is compiled and loaded, threads, freed blocks that malloc keeps. */
const growth = 30 * 2 ** 20;

/** The memory of a run before it begins, from shapes alone; the engine's own layout is in native/core. */
export function memoryEstimate(input: MemoryInput): MemoryEstimate {
  const { decoder, parameters, trainable = parameters, args, labelledTokens, retainedTokens = 0 } = input;
  const frozen = parameters - trainable;
  const freezing = input.freezing ?? {
    lookedUpOnly:
      frozen > 0
        ? 0
        : (decoder.maxPositions + (decoder.tiedHead ? 0 : decoder.vocabSize)) * decoder.hiddenSize,
    blocksBelow: 0,
    isHeadTrained: frozen === 0,
  };
  const size = input.precision === 'fp32' ? 4 : 2;
  const tokens = input.tokens + retainedTokens;
  const shared = sharedOut(input, trainable);
  const ofRun = {
    weights: bytesOfWeights(input, freezing, shared.masters),
    gradients: 4 * shared.gradients,
    optimizer: input.statesOnDevice ?? Math.round(bytesOfState(args) * shared.trained),
  };
  const step = {
    ...{ size, tokens, isHeadTrained: freezing.isHeadTrained },
    // Of retained tokens there are those of the base, too; the two kinds of token come one after the other.
    withLogits: Math.max(labelledTokens, 2 * retainedTokens),
    gradientsOfHead: freezing.isHeadTrained ? 4 * decoder.vocabSize * decoder.hiddenSize : 0,
    kept: activations({
      ...{ decoder, tokens, labelledTokens, size, blocksBelow: freezing.blocksBelow },
      keptBlocks:
        args.gradientCheckpointing === 'auto'
          ? (input.keptBlocks ?? 0)
          : args.gradientCheckpointing
            ? 0
            : decoder.layers.length,
    }),
  };
  return input.device === undefined ? onHost(input, ofRun, step) : onDevice(input, ofRun, step);
}

type OfRun = Pick<MemoryEstimate, 'weights' | 'gradients' | 'optimizer'>;

/** What a micro-batch takes on its way. */
interface OfStep {
  /** Bytes of a number of the compute type. */
  size: number;
  tokens: number;
  withLogits: number;
  isHeadTrained: boolean;
  gradientsOfHead: number;
  kept: Activations;
}

function bytesOfWeights(
  input: MemoryInput,
  { lookedUpOnly, isHeadTrained }: NonNullable<MemoryInput['freezing']>,
  mastersOfOthers: number,
): number {
  const { decoder, parameters, trainable = parameters, precision, takenOut = 0 } = input;
  const { quantized = { parameters: 0, bytes: 0 }, retainedTokens = 0, measuresForgetting = false } = input;
  const size = precision === 'fp32' ? 4 : 2;
  const isMixed = precision === 'bf16' || precision === 'fp16';
  const keepsHead = (retainedTokens > 0 || measuresForgetting) && isHeadTrained;
  return (
    trainable * (precision === 'bf16-true' ? 2 : 4) +
    (isMixed ? 2 * (trainable - lookedUpOnly) - 4 * mastersOfOthers : 0) +
    (parameters - trainable - quantized.parameters) * size +
    quantized.bytes +
    4 * takenOut +
    // The head of the base is kept where the head is trained.
    (keepsHead ? decoder.vocabSize * decoder.hiddenSize * size : 0)
  );
}

/** Weights in fewer bits become floats a tile at a time: native/core/model/weight_product.cpp. */
function bytesOfTiles({ quantized }: MemoryInput, size: number): number {
  return quantized !== undefined && quantized.parameters > 0 ? tileEntries * size : 0;
}

function onHost(input: MemoryInput, ofRun: OfRun, step: OfStep): MemoryEstimate {
  const { decoder, args, precision, bfloat16Instructions, base, available } = input;
  const { size, tokens, withLogits, gradientsOfHead, kept } = step;
  const isByFloat32 = precision.startsWith('bf16') && !bfloat16Instructions;
  // FusedLinearLoss: an eighth of what is free, at most 1 GiB.
  const logits = Math.min(gibibyte, available / 8, withLogits * decoder.vocabSize * size);
  const rows = logits / (decoder.vocabSize * size);
  const lossChunk = logits + (isByFloat32 ? float32Pieces(rows, decoder.hiddenSize, decoder.vocabSize) : 0);
  // The chunk is gone before the blocks' backward begins, but what that takes, malloc keeps: from the second step on the
  // chunk comes on top.
  const pieces = isByFloat32 ? float32Pieces(tokens, decoder.hiddenSize, kept.widest) : 0;
  const parts = {
    ...ofRun,
    activations: kept.saved + kept.block + pieces + bytesOfTiles(input, isByFloat32 ? 4 : size),
    lossChunk,
    base: base + growth,
  };
  const sum = Object.values(parts).reduce((total, part) => total + part, 0);
  // A backward pass takes gradients from the head down, into what logits and activations have left. Those of an earlier
  // micro-batch are there all the time.
  const inTurns =
    args.gradientAccumulationSteps > 1
      ? 0
      : Math.min(Math.max(0, ofRun.gradients - gradientsOfHead), kept.saved + lossChunk);
  return { ...parts, total: sum - inTurns };
}

function onDevice(input: MemoryInput, ofRun: OfRun, step: OfStep): MemoryEstimate {
  const { decoder, args, rows = 1, available, keepsNumerators = false } = input;
  const { size, tokens, withLogits, isHeadTrained, gradientsOfHead, kept } = step;
  const { weights, gradients, optimizer } = ofRun;
  const attention = attentionBytes(decoder, tokens, rows, size);
  const tiles = bytesOfTiles(input, size);
  const loss = deviceLoss({
    ...{ labelledTokens: withLogits, vocabSize: decoder.vocabSize, size },
    free: Math.max(0, available - kept.saved),
    keepsNumerators: keepsNumerators && isHeadTrained && (args.labelSmoothingFactor ?? 0) === 0,
  });
  const peak = devicePeak({
    ...{ activations: kept, transient: attention + tiles, loss, gradients },
    gradientsOfHead: Math.min(gradientsOfHead, gradients),
    areHeld: args.gradientAccumulationSteps > 1,
  });
  const base = contextBytes + workspaceBytes;
  return {
    ...ofRun,
    activations: kept.saved + kept.block + attention + tiles,
    lossChunk: loss.logits + loss.scratch,
    ...(loss.numerators > 0 ? { numerators: loss.numerators } : {}),
    base,
    total: weights + optimizer + base + peak,
  };
}

/** Values that a rank has gradients and optimizer state of, and those whose masters are other ranks'. */
function sharedOut(
  { args: { zeroStage = 0 }, shards }: MemoryInput,
  trainable: number,
): { masters: number; trained: number; gradients: number } {
  if (shards === undefined || zeroStage === 0)
    return { masters: 0, trained: trainable, gradients: trainable };
  const { trained, apart, gradients } = shards.sizes[shards.rank]!;
  const masters = shards.sizes.reduce((sum, size) => sum + size.apart, 0) - apart;
  return { masters, trained, gradients: zeroStage > 1 ? gradients : trainable };
}

/** What a product [rows, inner]·[inner, columns] holds in float32 on its way: one factor, and slabs of the other and of the sum. */
function float32Pieces(rows: number, inner: number, columns: number): number {
  const slab = Math.min(512, columns); // native/core/ops/product.cpp
  return 4 * (rows * inner + slab * (inner + rows));
}
