/** What a run needs, in bytes, of the memory that the model is in: a GPU's, or main memory. */
export interface MemoryEstimate {
  /** The weights, and the copy that is computed with in mixed precision. */
  weights: number;
  gradients: number;
  optimizer: number;
  /** What the largest micro-batch keeps for its backward pass, and what one block needs on the way. */
  activations: number;
  /** Logits that exist at once, and the float32 pieces they are made from where the CPU has no bfloat16 instructions. */
  lossChunk: number;
  /** On a GPU: what of the logits is kept for the backward pass, as far as there is room; a run that has none computes it again. */
  numerators?: number;
  /** On a GPU what CUDA and its libraries take. Otherwise Node, libtorch and the rows: what the process holds already, without the model. */
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

/** Main memory of a run whose model is on a GPU, in bytes. */
export interface HostMemory {
  /** States of a paged optimizer for which the GPU has no room. */
  pagedStates: number;
  /** Node, libtorch, CUDA's libraries and the rows: what the process holds. */
  base: number;
  total: number;
  /** What the system can still give; absent where the run is planned for another machine. */
  available?: number;
}

export interface MemoryReport extends MemoryEstimate {
  /** What the system, or the GPU, can still give, beside what the process holds. */
  available: number;
  /** Of a GPU: what it has in all; absent on a CPU. */
  capacity?: number;
  /** Beside the memory of a GPU; absent on a CPU. */
  host?: HostMemory;
  /**
   * With `gradientCheckpointing: 'auto'`: of all blocks, how many keep their activations in the largest micro-batch; the others are
   * recomputed. Absent with true and false.
   */
  keptBlocks?: { kept: number; all: number };
}
