import type { MemoryEstimate } from '../../events/memory-report.js';
import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { DecoderConfig, ShardSize } from '../../engine/addon.js';
import type { Quantization } from '../../model/quantization/quantization.js';

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
  /** Of the CPU; without them products of bfloat16 go by way of float32. */
  bfloat16Instructions: boolean;
  args: Pick<
    TrainingConfig,
    'optimizer' | 'momentum' | 'gradientCheckpointing' | 'gradientAccumulationSteps'
  > &
    Partial<Pick<TrainingConfig, 'optimArgs' | 'zeroStage'>>;
  /** What each of several ranks holds where `zeroStage` shares out, and which one is meant. Default: one rank. */
  shards?: { sizes: readonly ShardSize[]; rank: number } | undefined;
  /** With `gradientCheckpointing: 'auto'`, how many of the last blocks keep their activations. Default: none. */
  keptBlocks?: number;
  /** Of the largest micro-batch. */
  tokens: number;
  labelledTokens: number;
  /** Tokens that hold the model to its base, beside those of a micro-batch. Default: none. */
  retainedTokens?: number;
  /** Whether forgetting is measured. Default: no. */
  measuresForgetting?: boolean;
  base: number;
  available: number;
}

const gibibyte = 2 ** 30;
const tileEntries = 2 ** 20;
/** What the process grows by once it computes: code that is compiled and loaded, threads, freed blocks that malloc keeps. */
const growth = 30 * 2 ** 20;

/** The memory of a run before it begins, from shapes alone; the engine's own layout is in native/core. */
export function memoryEstimate(input: MemoryInput): MemoryEstimate {
  const {
    decoder,
    parameters,
    trainable = parameters,
    quantized = { parameters: 0, bytes: 0 },
    takenOut = 0,
    args,
    precision,
    bfloat16Instructions,
    labelledTokens,
    retainedTokens = 0,
    measuresForgetting = false,
    base,
    available,
  } = input;
  const tokens = input.tokens + retainedTokens;
  const size = precision === 'fp32' ? 4 : 2;
  const isMixed = precision === 'bf16' || precision === 'fp16';
  const frozen = parameters - trainable;
  const { lookedUpOnly, blocksBelow, isHeadTrained } = input.freezing ?? {
    lookedUpOnly:
      frozen > 0
        ? 0
        : (decoder.maxPositions + (decoder.tiedHead ? 0 : decoder.vocabSize)) * decoder.hiddenSize,
    blocksBelow: 0,
    isHeadTrained: frozen === 0,
  };
  const shared = sharedOut(input, trainable);
  const weights =
    trainable * (precision === 'bf16-true' ? 2 : 4) -
    (isMixed ? 4 * shared.masters : 0) +
    (isMixed ? 2 * (trainable - lookedUpOnly) : 0) +
    (frozen - quantized.parameters) * size +
    quantized.bytes +
    4 * takenOut +
    // The head of the base is kept where the head is trained.
    ((retainedTokens > 0 || measuresForgetting) && isHeadTrained
      ? decoder.vocabSize * decoder.hiddenSize * size
      : 0);
  const gradients = 4 * shared.gradients;
  const optimizer = Math.round(bytesOfState(args) * shared.trained);
  const byFloat32 = precision.startsWith('bf16') && !bfloat16Instructions;
  // FusedLinearLoss: an eighth of what is free, at most 1 GiB.
  // Of retained tokens there are those of the base, too; the two kinds of token come one after the other.
  const withLogits = Math.max(labelledTokens, 2 * retainedTokens);
  const logits = Math.min(gibibyte, available / 8, withLogits * decoder.vocabSize * size);
  const rows = logits / (decoder.vocabSize * size);
  const lossChunk = logits + (byFloat32 ? float32Pieces(rows, decoder.hiddenSize, decoder.vocabSize) : 0);
  const { saved, block, widest } = activations(
    decoder,
    tokens,
    labelledTokens,
    size,
    args.gradientCheckpointing === 'auto'
      ? (input.keptBlocks ?? 0)
      : args.gradientCheckpointing
        ? 0
        : decoder.layers.length,
    blocksBelow,
  );
  // The chunk is gone before the blocks' backward begins, but what that takes, malloc keeps: from the second step on the
  // chunk comes on top.
  const pieces = byFloat32 ? float32Pieces(tokens, decoder.hiddenSize, widest) : 0;
  // Weights in fewer bits become floats a tile at a time: native/core/model/weight_product.cpp.
  const tiles = quantized.parameters > 0 ? tileEntries * (byFloat32 ? 4 : size) : 0;
  const parts = {
    weights,
    gradients,
    optimizer,
    activations: saved + block + pieces + tiles,
    lossChunk,
    base: base + growth,
  };
  const sum = Object.values(parts).reduce((total, part) => total + part, 0);
  // A backward pass takes gradients from the head down, into what logits and activations have left. Those of an earlier
  // micro-batch are there all the time.
  const ofHead = isHeadTrained ? 4 * decoder.vocabSize * decoder.hiddenSize : 0;
  const inTurns =
    args.gradientAccumulationSteps > 1 ? 0 : Math.min(Math.max(0, gradients - ofHead), saved + lossChunk);
  return { ...parts, total: sum - inTurns };
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

/** Bytes of optimizer state per parameter. */
function bytesOfState({ optimizer, optimArgs, momentum }: MemoryInput['args']): number {
  switch (optimizer) {
    case 'adamw_8bit':
    case 'adamw_bnb_8bit':
    case 'paged_adamw_8bit':
      return 2 + 8 / 256;
    case 'sgd':
      return momentum > 0 ? 4 : 0;
    case 'rmsprop':
      return 4 + (momentum > 0 ? 4 : 0) + (optimArgs?.centered === true ? 4 : 0);
    case 'adagrad':
    case 'lion':
    case 'lion_32bit':
    case 'paged_lion':
    case 'paged_lion_32bit':
      return 4;
    case 'lion_8bit':
    case 'paged_lion_8bit':
      return 1 + 4 / 256;
    case 'ademamix':
    case 'paged_ademamix':
    case 'paged_ademamix_32bit':
      return 12;
    case 'ademamix_8bit':
    case 'paged_ademamix_8bit':
      return 3 + 12 / 256;
    case 'adafactor':
      return 0.02; // a row and a column of each matrix
    default:
      return 8;
  }
}

/**
 * What all blocks keep, what one block's recomputation and gradients take for a while, and its widest product's columns.
 * @param keptBlocks how many of the last blocks are not recomputed
 */
function activations(
  decoder: DecoderConfig,
  tokens: number,
  labelled: number,
  size: number,
  keptBlocks: number,
  blocksBelow: number,
): { saved: number; block: number; widest: number } {
  const { hiddenSize: hidden, heads, kvHeads, headDim, layers } = decoder;
  const qkv = (heads + 2 * kvHeads) * headDim;
  const attended = heads * headDim;
  const inputs = decoder.parallelResidual ? 1 : 2;
  const outputs = decoder.sharedNorm ? 1 : 2;
  const ofNorms = bytesOfHeadNorms(decoder, size) + (decoder.qkvClip > 0 ? size * qkv : 0);
  // Inputs of both norms in float32; their outputs, qkv, attention and what the feed-forward keeps in the compute type.
  const ofLayer = layers.map(({ routed = false }) => {
    const inner = routed
      ? expertsPerToken(decoder, size)
      : size * (decoder.gated ? 3 : 2) * decoder.intermediateSize;
    return {
      kept: 4 * inputs * hidden + size * (outputs * hidden + qkv + attended) + ofNorms + inner + 4 * heads,
      gradients: 8 * hidden + size * (qkv + attended) + inner,
    };
  });
  const ends = tokens * (4 * hidden + size * hidden) + labelled * 2 * size * hidden;
  const firstKept = layers.length - keptBlocks;
  const ofTokens = (perToken: number[]) => tokens * perToken.reduce((sum, bytes) => sum + bytes, 0);
  const whole = ofTokens(ofLayer.slice(Math.max(blocksBelow, firstKept)).map(({ kept }) => kept));
  const inputsOnly = Math.max(0, firstKept - blocksBelow) * tokens * 4 * hidden;
  const lowest = Math.min(blocksBelow, layers.length - 1);
  const block = Math.max(
    ...ofLayer.slice(lowest).map(({ kept, gradients }, index) => {
      // What the blocks above one that is recomputed kept is gone by then.
      const recomputed = lowest + index < firstKept ? Math.max(0, tokens * kept - whole) : 0;
      return tokens * gradients + recomputed;
    }),
  );
  const wide = layers.some(({ routed }) => !routed) ? (decoder.gated ? 2 : 1) * decoder.intermediateSize : 0;
  const { intermediateSize = 0, sharedSize = 0 } = decoder.routing ?? {};
  return {
    saved: whole + inputsOnly + ends,
    block,
    widest: Math.max(qkv, wide, 2 * intermediateSize, 2 * sharedSize),
  };
}

/** Bytes that a layer of experts keeps of a token: for each of its experts input, gate and up, their product and output. */
function expertsPerToken({ hiddenSize, routing }: DecoderConfig, size: number): number {
  const { experts, active, intermediateSize, sharedSize } = routing!;
  const shared = sharedSize > 0 ? size * (3 * sharedSize + 2 * hiddenSize) : 0;
  return size * active * (2 * hiddenSize + 3 * intermediateSize) + 4 * (hiddenSize + 2 * experts) + shared;
}

/** What norms of queries and keys keep of a token. */
function bytesOfHeadNorms({ headNorm, heads, kvHeads, headDim }: DecoderConfig, size: number): number {
  if (headNorm === 'none') return 0;
  if (headNorm.startsWith('rms')) return size * (heads + 2 * kvHeads) * headDim;
  return 8 * (heads + kvHeads) * headDim; // in float32, before and after
}
