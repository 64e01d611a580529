import type { InspectReport } from '../events/inspect-report.js';
import type { InspectedRow, TokenJudgements } from '../events/token-record.js';
import { packInspection } from '../report/pack-inspection.js';
import { inspectedRow, judgeRows } from '../trainer/inspection/judge-rows.js';
import type { InspectDatasetsOptions } from './inspect-datasets.js';
import { writePageOf } from './page-of.js';

const most = 300;

/** Gathers, while the model is open, what a page of the datasets shows token by token. */
export class InspectPage {
  private rows: InspectedRow[] = [];
  private judged: TokenJudgements[] = [];

  readonly whileOpen: NonNullable<InspectDatasetsOptions['whileOpen']> = async (model, judging) => {
    const { chosen, tokenizer, topK, signal } = judging;
    const every = Math.max(1, chosen.length / most);
    const some = Array.from({ length: Math.min(most, chosen.length) }, (_, at) => {
      const index = Math.floor(at * every);
      // Numbered over all datasets here.
      return { ...chosen[index]!, row: index };
    });
    this.rows = some.map((row) => inspectedRow(row, tokenizer));
    this.judged = await judgeRows(some, { model, tokenizer, topK, signal });
  };

  /** @throws AdaptiveTrainerError IO_FAILED */
  async write(report: InspectReport, file: string): Promise<void> {
    const inspection = packInspection(this.rows, this.judged, undefined);
    await writePageOf(
      'inspect',
      `${report.model} before training`,
      { topK: report.topK, inspection, inspect: report },
      file,
    );
  }
}
