import { format } from '../../common/format.js';
import type { KeptBlocks } from '../../engine/addon.js';
import type { WarningEvent } from '../../events/training-event.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { fittingBlocks, shareLeft } from './fitting-blocks.js';
import { memoryEstimate, type MemoryInput } from './memory-estimate.js';

/** What is known of a run's memory before its micro-batches. */
export type RunMemory = Omit<
  MemoryInput,
  'tokens' | 'labelledTokens' | 'rows' | 'base' | 'available' | 'keptBlocks'
>;

/** Of a micro-batch, what its memory depends on. */
export interface MicroBatchSize {
  tokens: number;
  labelledTokens: number;
  rows: number;
  retainedTokens: number;
}

const shareToTell = 0.8;

/**
 * With `gradientCheckpointing: 'auto'`, chooses before each micro-batch which blocks keep their activations, by what is free at
 * that moment.
 */
export class BlockKeeper {
  private firstStep: number | undefined;
  private fewest: number | undefined;
  private isTold = false;

  constructor(
    private readonly model: CausalLM,
    private readonly run: RunMemory,
    /** Ranks of this machine, which share what is free. */
    private readonly ranks: number,
    /** What was said of the largest micro-batch before the run; undefined: nothing was. */
    private planned?: { kept: number; tokens: number },
  ) {}

  /** @param step of the run, from 1 */
  async keep(size: MicroBatchSize, step: number): Promise<KeptBlocks> {
    this.firstStep ??= step;
    const kept = await this.choose(size, step === this.firstStep);
    this.planned ??= { kept: kept.last, tokens: size.tokens };
    return kept;
  }

  /** Takes note of what the engine did, which looks again at what is free before each block. */
  kept({ tokens }: MicroBatchSize, blocks: number): void {
    if (this.planned === undefined || tokens > this.planned.tokens) return;
    this.fewest = Math.min(this.fewest ?? Infinity, blocks);
  }

  /** Once: that far fewer blocks were kept than was planned. */
  async warning(step: number): Promise<WarningEvent | undefined> {
    const { planned, fewest = Infinity } = this;
    if (this.isTold || planned === undefined || fewest >= shareToTell * planned.kept) return undefined;
    this.isTold = true;
    const { available, device } = await this.model.call((native) => native.memory());
    return {
      type: 'warning',
      code: 'FEWER_BLOCKS_KEPT',
      message:
        `Less memory is free than at the start (${format.bytes(device?.available ?? available)}): in step ${step} the activations of ${fewest} of ` +
        `${this.run.decoder.layers.length} blocks were kept in place of ${planned.kept}. Such steps take longer; their numbers stay the same.`,
    };
  }

  /** @param isFirst nothing was written yet into the gradients and the optimizer's state */
  private async choose(size: MicroBatchSize, isFirst: boolean): Promise<KeptBlocks> {
    const memory = await this.model.call((native) => native.memory());
    const input = { ...this.run, ...size, base: 0, available: memory.available / this.ranks };
    const { gradients, optimizer, base } = memoryEstimate(input);
    const free = memory.device?.available ?? input.available + memory.reusable;
    const toCome = memory.device
      ? gradientsToCome(gradients, memory, memory.device)
      : isFirst
        ? gradients + optimizer + base
        : 0;
    const room = Math.max(0, free - toCome);
    const last = fittingBlocks({ ...input, available: room }, room);
    const { lossChunk } = memoryEstimate({ ...input, available: room });
    // Half of what is to be left may go to others before a block that was to be kept is recomputed.
    const spare = (shareLeft / 2) * room + lossChunk + (memory.device ? toCome : 0);
    return { last, spare: Math.ceil(spare) };
  }
}

/** Of a device that has room for them only once the backward pass comes to them; those of earlier micro-batches are there. */
function gradientsToCome(
  gradients: number,
  { weights, optimizer }: { weights: number; optimizer: number },
  { held }: { held: number },
): number {
  return Math.max(0, gradients - Math.max(0, held - weights - optimizer));
}
