import type { EvalReport } from '../events/eval-report.js';
import type { InspectedRow, TokenJudgements } from '../events/token-record.js';
import { packInspection } from '../report/pack-inspection.js';
import { chooseRows, type ChosenRow } from '../trainer/inspection/chosen-rows.js';
import { inspectedRow, judgeRows } from '../trainer/inspection/judge-rows.js';
import type { EvaluateModelOptions } from './evaluate-model.js';
import { writePageOf } from './page-of.js';

const most = { eval: 200, retention: 50 };

/** Gathers, while the models of an evaluation are open, what a page of it shows token by token. */
export class EvalPage {
  private rows: InspectedRow[] = [];
  private readonly judged: { model?: TokenJudgements[]; against?: TokenJudgements[] } = {};

  readonly whileOpen: NonNullable<EvaluateModelOptions['whileOpen']> = async (model, judging, which) => {
    const { chosen, tokenizer, topK, signal } = judging;
    const some = [...someOf(chosen, 'eval'), ...someOf(chosen, 'retention')];
    this.rows = some.map((row) => inspectedRow(row, tokenizer));
    this.judged[which] = await judgeRows(some, { model, tokenizer, topK, signal });
  };

  /** @throws AdaptiveTrainerError IO_FAILED */
  async write(report: EvalReport, file: string): Promise<void> {
    const { model, topK, metrics, bySource, byStyle, groups, against, seconds } = report;
    const { model: own, against: other } = this.judged;
    const evaluation = {
      type: 'evaluate' as const,
      step: 0,
      epoch: 0,
      ...metrics,
      seconds,
      bySource,
      byStyle,
    };
    await writePageOf(
      'eval',
      against === undefined ? model : `${model} against ${against.model}`,
      {
        topK,
        evaluations: [evaluation],
        groups,
        inspection: packInspection(this.rows, other ?? own, other === undefined ? undefined : own),
        ...(against === undefined ? {} : { comparison: against.comparison }),
      },
      file,
    );
  }
}

function someOf(chosen: readonly ChosenRow[], set: ChosenRow['set']): ChosenRow[] {
  const own = chosen.filter((row) => row.set === set);
  const contents = own.map(({ content }) => content);
  const bounds = { rows: most[set], tokens: Infinity, leastRows: 0 };
  return chooseRows(set, contents, bounds).map(({ row }) => own[row]!);
}
