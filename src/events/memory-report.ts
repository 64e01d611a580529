/** What a run needs, in bytes. */
export interface MemoryEstimate {
  /** The weights, and the copy that is computed with in mixed precision. */
  weights: number;
  gradients: number;
  optimizer: number;
  /** What the largest micro-batch keeps for its backward pass, and what one block needs on the way. */
  activations: number;
  /** Logits that exist at once, and the float32 pieces they are made from where the CPU has no bfloat16 instructions. */
  lossChunk: number;
  /** Node, libtorch and the rows: what the process holds already, without the model. */
  base: number;
  total: number;
}

/** Where the states of an optimizer lie that may leave a device with memory of its own, in bytes. */
export interface StatePlaces {
  /** On the device, with room for pieces of the others as they come and go. */
  held: number;
  /** In main memory. */
  paged: number;
}

export interface MemoryReport extends MemoryEstimate {
  /** What the system can still give, beside what the process holds. */
  available: number;
  /**
   * With `gradientCheckpointing: 'auto'`: of all blocks, how many keep their activations in the largest micro-batch; the others are
   * recomputed. Absent with true and false.
   */
  keptBlocks?: { kept: number; all: number };
}
