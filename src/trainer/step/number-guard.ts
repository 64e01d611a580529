import type { TrainingRow } from '../../events/training-row.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { WarningEvent } from '../../events/training-event.js';
import { microBatch } from '../batches/micro-batch.js';
import { divideRows } from '../batches/rank-part.js';
import { rowNumber } from '../batches/row-number.js';

const zeroNormsToWarn = 10;
/** After so many failed steps in a row no later one is expected to succeed. */
const skipsInARow = 20;

/** What a NumberGuard remembers. Survives JSON. */
export interface NumberGuardState {
  /** Steps of the run whose gradients were dropped. */
  skippedSteps: number;
  skippedInARow: number;
  zeroNormsInARow: number;
  hasWarnedOfZeroNorms: boolean;
}

/** Watches the numbers of a run: explains those that are not finite, and applies `onNonFinite`. */
export class NumberGuard {
  /** Rows of which the model made finite numbers, when last a step went well. */
  private wellDone: TrainingRow[] | undefined;

  constructor(
    private readonly model: CausalLM,
    private readonly policy: 'stop' | 'skip',
    /** Of the run that is continued; default: none. */
    readonly state: NumberGuardState = {
      skippedSteps: 0,
      skippedInARow: 0,
      zeroNormsInARow: 0,
      hasWarnedOfZeroNorms: false,
    },
    /** Every rank looks at the parts of all, one at a time, so that all find the same. */
    private readonly ranks = 1,
  ) {}

  /** After a step that went well. Returns the one warning about a norm that stays 0, when it is due. */
  onStep(gradNorm: number, step: number, window: readonly TrainingRow[][]): WarningEvent | undefined {
    const { state } = this;
    this.wellDone = window[0];
    state.skippedInARow = 0;
    state.zeroNormsInARow = gradNorm === 0 ? state.zeroNormsInARow + 1 : 0;
    if (state.zeroNormsInARow < zeroNormsToWarn || state.hasWarnedOfZeroNorms) return undefined;
    state.hasWarnedOfZeroNorms = true;
    const message = `The gradients of ${zeroNormsToWarn} steps in a row are zero: nothing is learned. Are the labels the model's own certain answers, or all weights of the loss 0?`;
    return { type: 'warning', code: 'ZERO_GRADIENTS', message, step };
  }

  /**
   * After a step whose gradients were too large for float16 and were dropped. The first steps of a run may do that, until the
   * loss scale fits, under either policy.
   * @param lossScale what the next step tries
   * @throws AdaptiveTrainerError LOSS_NOT_FINITE where no scale helps
   */
  onOverflow(lossScale: number, step: number): WarningEvent {
    this.state.skippedSteps++;
    if (++this.state.skippedInARow >= skipsInARow) {
      throw new AdaptiveTrainerError(
        'LOSS_NOT_FINITE',
        `Step ${step}: expected finite gradients in float16, found none in ${skipsInARow} steps in a row, down to a loss scale of ${lossScale}. Set bf16: true, or a lower learningRate.`,
        { details: { step, lossScale } },
      );
    }
    const message = `Step ${step}: the gradients overflowed float16. The step was skipped (${this.state.skippedSteps} so far), and the loss scale halved to ${lossScale}.`;
    return { type: 'warning', code: 'LOSS_SCALE_HALVED', message, step };
  }

  /**
   * After a step whose loss or gradient is not finite: says where it began. Drops the step's gradients.
   * @returns the warning to give where the policy is to skip
   * @throws AdaptiveTrainerError LOSS_NOT_FINITE with `details` step, module and rows, where it is to stop
   */
  async onNonFinite(cause: unknown, step: number, window: readonly TrainingRow[][]): Promise<WarningEvent> {
    if (!AdaptiveTrainerError.isInstance(cause, 'LOSS_NOT_FINITE')) throw cause;
    const { module, rows } = await this.locate(window);
    await this.model.call((native) => native.clearGradients());
    const where = module === '' ? '' : ` It first appears in the output of ${module}.`;
    const error = new AdaptiveTrainerError(
      'LOSS_NOT_FINITE',
      `Step ${step}: ${cause.message}${where} Rows: ${describe(rows)}.`,
      { cause, details: { step, module, rows: rows.map((row) => rowNumber(row)) } },
    );
    if (this.policy === 'stop' || ++this.state.skippedInARow >= skipsInARow) throw error;
    // A step that went well may have moved the weights to where they are no numbers any more.
    if (module !== '' && this.wellDone !== undefined && (await this.locate([this.wellDone])).module !== '')
      throw destroyed(error, step, this.state.skippedSteps);
    const skipped = ++this.state.skippedSteps;
    const message = `${error.message} The step was skipped, its gradients dropped (${skipped} so far).`;
    return { type: 'warning', code: 'STEP_SKIPPED', message, step };
  }

  /** The first module with an output that is not finite; all rows of the window where only gradients are not. */
  private async locate(window: readonly TrainingRow[][]): Promise<{ module: string; rows: TrainingRow[] }> {
    const parts = window.flatMap((rows) =>
      divideRows(
        rows.map(({ inputIds }) => inputIds.length),
        this.ranks,
      ).map((places) => places.map((place) => rows[place]!)),
    );
    for (const rows of parts) {
      if (rows.length === 0) continue;
      const found = await this.model.call((native) => native.findNonFinite(microBatch(rows)));
      if (found.module !== '') return { module: found.module, rows: Array.from(found.rows, (i) => rows[i]!) };
    }
    return { module: '', rows: window.flat() };
  }
}

function destroyed(cause: AdaptiveTrainerError, step: number, skipped: number): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'LOSS_NOT_FINITE',
    `Step ${step}: the weights are not finite any more, so that no later step can train (${skipped} were skipped before). ` +
      `Go on from a checkpoint that was saved before, with a lower learningRate or maxGradNorm. ${cause.message}`,
    { cause, details: cause.details as { step: number } },
  );
}

function describe(rows: readonly TrainingRow[]): string {
  const named = rows.slice(0, 8).map((row) => {
    const source = row.source === undefined ? '' : ` (from ${row.source})`;
    return `${rowNumber(row) ?? `of ${row.inputIds.length} tokens`}${source}`;
  });
  if (rows.length > named.length) named.push(`${rows.length - named.length} more`);
  return named.join(', ');
}
