// What a step of data-parallel training takes, from rates that were measured: the sums of gradients travel while the backward
// pass of the last micro-batch goes on, one bucket after another.

/** The sizes that decide how much is computed and sent. */
export interface ModelShape {
  layers: number;
  hidden: number;
  intermediate: number;
  /** Width of the keys, and of the values: heads of them × their size. */
  keyValue: number;
  vocab: number;
  tied: boolean;
}

/** A part of the backward pass, from the output down, and the bytes of gradients that are whole after it. */
export interface BackwardPart {
  seconds: number;
  bytes: number;
}

/** Weights of one block. */
export function blockParameters({ hidden, intermediate, keyValue }: ModelShape): number {
  return 2 * hidden * hidden + 2 * hidden * keyValue + 3 * hidden * intermediate + 2 * hidden;
}

export function parameterCount(shape: ModelShape): number {
  const { layers, hidden, vocab, tied } = shape;
  return layers * blockParameters(shape) + (tied ? 1 : 2) * vocab * hidden + hidden;
}

/**
 * The backward pass of a micro-batch, cut into head, blocks and embedding by their multiplications.
 * @param seconds it takes in all
 */
export function backwardParts(shape: ModelShape, seconds: number, bytesPerGradient = 4): BackwardPart[] {
  const { layers, hidden, vocab, tied } = shape;
  const table = vocab * hidden;
  const block = blockParameters(shape);
  const perWeight = seconds / (table + layers * block);
  const bytes = (parameters: number) => parameters * bytesPerGradient;
  return [
    // A tied table is whole once the embedding is.
    { seconds: perWeight * table, bytes: bytes(tied ? 0 : table) },
    ...Array.from({ length: layers }, () => ({ seconds: perWeight * block, bytes: bytes(block) })),
    { seconds: 0, bytes: bytes(table) },
  ];
}

/** Bytes that each rank sends, and receives, for the sum of so many over a ring. */
export function ringBytes(bytes: number, ranks: number): number {
  return (2 * bytes * (ranks - 1)) / ranks;
}

/**
 * How long a rank waits for sums after its backward pass.
 * @param bandwidth of its link in each direction, bytes per second
 */
export function exposedSeconds(parts: readonly BackwardPart[], ranks: number, bandwidth: number): number {
  let [backward, sent] = [0, 0];
  for (const { seconds, bytes } of parts) {
    backward += seconds;
    if (bytes > 0) sent = Math.max(sent, backward) + ringBytes(bytes, ranks) / bandwidth;
  }
  return Math.max(0, sent - backward);
}

/** The same where nothing is sent before the backward pass is over. */
export function afterwardsSeconds(parts: readonly BackwardPart[], ranks: number, bandwidth: number): number {
  return (
    ringBytes(
      parts.reduce((sum, { bytes }) => sum + bytes, 0),
      ranks,
    ) / bandwidth
  );
}

/** What Ethernet's and TCP's headers leave of a link. */
export const payloadShare = 1448 / 1514;

/** Bytes per second of a rate as tc takes it: 100mbit, 1gbit. */
export function bytesPerSecond(rate: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(k|m|g)bit$/.exec(rate) ?? [];
  if (count === undefined) throw new Error(`Expected a rate such as 100mbit or 1gbit, received "${rate}".`);
  return (Number(count) * { k: 1e3, m: 1e6, g: 1e9 }[unit as 'k' | 'm' | 'g']) / 8;
}
