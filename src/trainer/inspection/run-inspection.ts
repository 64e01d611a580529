import type { TrainingEvent } from '../../events/training-event.js';
import { beginInspection, notInspected, type InspectionFacts } from './begin-inspection.js';
import type { Inspection } from './inspection.js';

/** The inspection of a run, where it has one. What fails of it becomes a warning, and it is done without. */
export class RunInspection {
  private constructor(
    private readonly emit: (event: TrainingEvent) => Promise<void>,
    private inspection: Inspection | undefined,
  ) {}

  /** See beginInspection(). */
  static async begin(facts: InspectionFacts): Promise<RunInspection> {
    return new RunInspection(facts.emit, await beginInspection(facts));
  }

  /** Writes what was judged before the run. */
  async write(): Promise<void> {
    await this.inspection?.write().catch((error: unknown) => this.drop(error));
  }

  /**
   * Judges the rows again, and tells what changed.
   * @param check to be passed before anything is written
   */
  async end(check: () => Promise<void>): Promise<void> {
    const { inspection } = this;
    if (inspection === undefined) return;
    try {
      await check();
      await this.emit({ type: 'comparison', ...(await inspection.end()) });
    } catch (error) {
      // The model is trained and saved.
      await this.drop(error);
    }
  }

  private async drop(error: unknown): Promise<void> {
    this.inspection = undefined;
    await this.emit(notInspected(error));
  }
}
