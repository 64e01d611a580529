import type { DecoderConfig } from '../../engine/addon.js';

export interface Activations {
  /** What all blocks keep until the backward pass. */
  saved: number;
  /** What one block's recomputation and gradients take for a while. */
  block: number;
  /** Columns of the widest product. */
  widest: number;
  /** Of each block from the lowest that gradients come to on, in bytes. */
  blocks: BlockBytes[];
}

export interface BlockBytes {
  /** Its activations, whether they are kept or made again. */
  kept: number;
  /** What its backward pass takes for a while. */
  gradients: number;
  isKept: boolean;
}

export interface ActivationsInput {
  decoder: DecoderConfig;
  tokens: number;
  labelledTokens: number;
  /** Bytes of a number of the compute type. */
  size: number;
  /** How many of the last blocks are not recomputed. */
  keptBlocks: number;
  /** Blocks that no gradient comes to. */
  blocksBelow: number;
}

/** What a micro-batch keeps on its way, in bytes. */
export function activations(input: ActivationsInput): Activations {
  const { decoder, tokens, labelledTokens, size, keptBlocks, blocksBelow } = input;
  const { hiddenSize: hidden, heads, kvHeads, headDim, layers } = decoder;
  const qkv = (heads + 2 * kvHeads) * headDim;
  const attended = heads * headDim;
  const inputs = decoder.parallelResidual ? 1 : 2;
  const outputs = decoder.sharedNorm ? 1 : 2;
  const ofNorms = bytesOfHeadNorms(decoder, size) + (decoder.qkvClip > 0 ? size * qkv : 0);
  const firstKept = layers.length - keptBlocks;
  const lowest = Math.min(blocksBelow, layers.length - 1);
  // Inputs of both norms in float32; their outputs, qkv, attention and what the feed-forward keeps in the compute type.
  const blocks = layers.slice(lowest).map(({ routed = false }, index) => {
    const inner = routed
      ? expertsPerToken(decoder, size)
      : size * (decoder.gated ? 3 : 2) * decoder.intermediateSize;
    const kept =
      4 * inputs * hidden + size * (outputs * hidden + qkv + attended) + ofNorms + inner + 4 * heads;
    return {
      kept: tokens * kept,
      gradients: tokens * (8 * hidden + size * (qkv + attended) + inner),
      isKept: lowest + index >= firstKept,
    };
  });
  const ends = tokens * (4 * hidden + size * hidden) + labelledTokens * 2 * size * hidden;
  const whole = blocks
    .slice(blocksBelow - lowest)
    .reduce((sum, { kept, isKept }) => sum + (isKept ? kept : 0), 0);
  const inputsOnly = Math.max(0, firstKept - blocksBelow) * tokens * 4 * hidden;
  // What the blocks above one that is recomputed kept is gone by then.
  const block = Math.max(
    ...blocks.map(({ kept, gradients, isKept }) => gradients + (isKept ? 0 : Math.max(0, kept - whole))),
  );
  const wide = layers.some(({ routed }) => !routed) ? (decoder.gated ? 2 : 1) * decoder.intermediateSize : 0;
  const { intermediateSize = 0, sharedSize = 0 } = decoder.routing ?? {};
  return {
    saved: whole + inputsOnly + ends,
    block,
    widest: Math.max(qkv, wide, 2 * intermediateSize, 2 * sharedSize),
    blocks,
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
