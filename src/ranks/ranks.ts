import type { NativeRanks } from '../engine/addon.js';
import type { Launch } from './launch.js';

/**
 * The processes that train one model together, as this one sees them. All ranks call its asynchronous methods in the same
 * order; those of a process on its own return at once.
 */
export interface Ranks {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
  /** Of several; undefined for a process on its own. */
  readonly launch: Launch | undefined;
  /** @internal */
  readonly native: NativeRanks | undefined;
  /** Whether this is rank 0, which alone prints, tracks, writes and uploads. */
  readonly isFirst: boolean;
  /** Whether it is the first of its machine, which alone prepares what the machine keeps. */
  readonly isFirstOfMachine: boolean;
  /** Sums of numbers over all ranks. */
  sum(numbers: ArrayLike<number>): Promise<Float64Array>;
  /**
   * Does work that may last, and resolves once every rank has done its own. Where one fails all do: it with its own error,
   * the others with RANKS_FAILED (ABORTED, where it was aborted). The work must not call methods of this object.
   */
  together<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Rank 0's text. */
  fromFirst(text: string | undefined): Promise<string>;
  /** @internal The text of each, in order, at rank 0; at the others nothing. */
  toFirst(text: string): Promise<string[]>;
  /** @internal A text that outlives the ranks where the launcher keeps the store and starts them anew; undefined without one. */
  recall(): Promise<string | undefined>;
  /** @internal */
  remember(text: string): Promise<void>;
  /** @internal Leaves the others, which fail with what is told of the error here. Nothing more can be done together then. */
  leave(error: unknown): Promise<void>;
  /** @internal The error that a failed call of the engine means: of another rank, where that is known. */
  explain(error: unknown): Promise<unknown>;
  /** @internal Whether this rank is to print an error that ends them all: one of them does. */
  mayTell(error: unknown): Promise<boolean>;
}

/** A process on its own. */
export const oneRank: Ranks = {
  rank: 0,
  size: 1,
  launch: undefined,
  native: undefined,
  isFirst: true,
  isFirstOfMachine: true,
  sum: async (numbers) => Float64Array.from(numbers),
  together: (work) => work(),
  fromFirst: async (text) => text ?? '',
  toFirst: async (text) => [text],
  recall: async () => undefined,
  remember: async () => {},
  leave: async () => {},
  explain: async (error) => error,
  mayTell: async () => true,
};
