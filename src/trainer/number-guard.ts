import type { TrainingRow } from '../data/training-row.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { WarningEvent } from '../tracking/training-event.js';
import { microBatch } from './micro-batch.js';

const zeroNormsToWarn = 10;
/** Where every step fails, the weights themselves are no longer numbers, and skipping leads nowhere. */
const skipsInARow = 20;

/** Watches the numbers of a run: explains those that are not finite, and applies `onNonFinite`. */
export class NumberGuard {
  /** Steps whose gradients were dropped. */
  skippedSteps = 0;
  private skippedInARow = 0;
  private zeroNorms = 0;

  constructor(
    private readonly model: CausalLM,
    private readonly policy: 'stop' | 'skip',
    /** For the numbers of rows in messages; rows of a stream have none. */
    private readonly dataset: readonly TrainingRow[] | undefined,
  ) {}

  /** After a step that went well. Returns the one warning about a norm that stays 0, when it is due. */
  onStep(gradNorm: number, step: number): WarningEvent | undefined {
    this.skippedInARow = 0;
    this.zeroNorms = gradNorm === 0 ? this.zeroNorms + 1 : 0;
    if (this.zeroNorms !== zeroNormsToWarn) return undefined;
    this.zeroNorms = -Infinity; // once per run is enough
    const message = `The gradients of ${zeroNormsToWarn} steps in a row are zero: nothing is learned. Are the labels the model's own certain answers, or all weights of the loss 0?`;
    return { type: 'warning', code: 'ZERO_GRADIENTS', message, step };
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
      `Step ${step}: ${cause.message}${where} Rows: ${this.describe(rows)}.`,
      { cause, details: { step, module, rows: rows.map((row) => this.numberOf(row)) } },
    );
    if (this.policy === 'stop' || ++this.skippedInARow >= skipsInARow) throw error;
    this.skippedSteps++;
    const message = `${error.message} The step was skipped, its gradients dropped (${this.skippedSteps} so far).`;
    return { type: 'warning', code: 'STEP_SKIPPED', message, step };
  }

  /** The first module with an output that is not finite; all rows of the window where only gradients are not. */
  private async locate(window: readonly TrainingRow[][]): Promise<{ module: string; rows: TrainingRow[] }> {
    for (const rows of window) {
      const found = await this.model.call((native) => native.findNonFinite(microBatch(rows)));
      if (found.module !== '') return { module: found.module, rows: Array.from(found.rows, (i) => rows[i]!) };
    }
    return { module: '', rows: window.flat() };
  }

  private numberOf(row: TrainingRow): number | undefined {
    const index = this.dataset?.indexOf(row) ?? -1;
    return index < 0 ? undefined : index;
  }

  private describe(rows: readonly TrainingRow[]): string {
    const named = rows.slice(0, 8).map((row) => {
      const source = row.source === undefined ? '' : ` (from ${row.source})`;
      return `${this.numberOf(row) ?? `of ${row.inputIds.length} tokens`}${source}`;
    });
    if (rows.length > named.length) named.push(`${rows.length - named.length} more`);
    return named.join(', ');
  }
}
