import type { DecoderConfig } from '../../engine/addon.js';
import type { Activations } from './activations.js';

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * What a process takes of a GPU before its first tensor: CUDA's context and the code of libtorch's kernels, which are loaded as
 * they are first called. An assumption: 400 to 600 MiB are usual.
 */
export const contextBytes = 512 * mebibyte;

/**
 * What products work in: libtorch gives cuBLAS 32 MiB on Hopper and later (8 MiB on earlier cards) for each thread that calls it,
 * which are two, as libtorch's autograd has one of its own.
 */
export const workspaceBytes = 64 * mebibyte;

/** Multiprocessors of a large card (132 on an H100), which a backward pass of flash attention splits its sums over. */
const multiprocessors = 132;

/** FusedLinearLoss: logits in an eighth of what is free, at most 1 GiB in float32 and 3 GiB of float32 beside 16 bits. */
export function deviceLoss({
  labelledTokens,
  vocabSize,
  size,
  free,
  keepsNumerators,
}: {
  labelledTokens: number;
  vocabSize: number;
  size: number;
  /** What activations leave. */
  free: number;
  keepsNumerators: boolean;
}): { logits: number; scratch: number; numerators: number } {
  const isWide = size === 2;
  const perToken = vocabSize * (isWide ? 6 : 4);
  const most = Math.min(isWide ? 3 * gibibyte : gibibyte, free / 8) / perToken;
  const chunk = Math.min(labelledTokens, Math.max(1, most));
  const all = labelledTokens * vocabSize * size;
  const numerators = isWide && keepsNumerators ? Math.min(all, free / 2) : 0;
  return {
    logits: 4 * chunk * vocabSize,
    // Where all numerators are kept, none are made again.
    scratch: isWide && numerators < all ? size * chunk * vocabSize : 0,
    numerators,
  };
}

/**
 * The most that a step takes of a device beside weights, optimizer and what the process holds: when the loss is computed, in the
 * backward pass of one of the blocks, or as the optimizer moves.
 */
export function devicePeak({
  activations: { saved, blocks },
  transient,
  loss: { logits, scratch, numerators },
  gradients,
  gradientsOfHead,
  areHeld,
}: {
  activations: Activations;
  /** What the backward pass of any block takes beside. */
  transient: number;
  loss: { logits: number; scratch: number; numerators: number };
  /** Of all weights, and of the head, which come first. */
  gradients: number;
  gradientsOfHead: number;
  /** Those of earlier micro-batches are there all the time. */
  areHeld: boolean;
}): number {
  const rest = gradients - gradientsOfHead;
  const held = areHeld ? rest : 0;
  const inForward = saved + logits + scratch + numerators + (areHeld ? gradientsOfHead : 0);
  const inLoss =
    saved + (numerators > 0 && scratch === 0 ? 0 : logits) + scratch + numerators + gradientsOfHead;
  let most = Math.max(inForward, inLoss) + held;
  let left = saved;
  [...blocks].reverse().forEach(({ kept, gradients: own, isKept }, index) => {
    const came = areHeld ? rest : (rest * (index + 1)) / blocks.length;
    most = Math.max(most, left + (isKept ? 0 : kept) + own + transient + gradientsOfHead + came);
    if (isKept) left -= kept;
  });
  return Math.max(most, gradients);
}

/**
 * What the backward pass of libtorch's attention takes beside what it gives. In 16 bits: sums of the queries' gradients in float32,
 * as often as a deterministic pass splits them; in float32: keys, values and their gradients for every query head.
 * @param rows of the micro-batch
 */
export function attentionBytes(decoder: DecoderConfig, tokens: number, rows: number, size: number): number {
  const { heads, kvHeads, headDim, attentionCap, attentionDropout } = decoder;
  const wide = tokens * heads * headDim;
  const grouped = heads === kvHeads ? 0 : 2 * size * wide;
  const parts = size * tokens * (heads + 2 * kvHeads) * headDim;
  // native/cuda/attention_path.h
  if (attentionCap > 0 || attentionDropout > 0 || headDim > 256) return 0;
  if (size === 4) return headDim % 4 === 0 ? parts + 2 * grouped : 0;
  if (headDim % 8 !== 0 || (headDim > 192 && headDim <= 224)) return 0;
  const splits = Math.ceil(multiprocessors / (rows * heads));
  return parts + grouped + 4 * splits * (tokens + 128 * rows) * heads * 32 * Math.ceil(headDim / 32);
}
