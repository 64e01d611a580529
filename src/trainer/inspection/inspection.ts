import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTextDurably } from '../../common/write-durably.js';
import type { Comparison, InspectedRow, SampleAnswer, TokenJudgements } from '../../events/token-record.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { chooseRows, type ChosenRow } from './chosen-rows.js';
import { compareJudgements } from './compare.js';
import { inspectedRow, judgeRows } from './judge-rows.js';
import { answersOf, askedRows, type AskedRow } from './sample-answers.js';

export interface InspectionRequest {
  model: CausalLM;
  tokenizer: Tokenizer;
  /** That of the run; the files go into `inspection` in it. */
  outputDir: string;
  evalRows: readonly TrainingRow[];
  /** Texts that are to be kept; each of their tokens counts. */
  guardedRows: readonly TrainingRow[];
  topK: number;
  /** Held-out rows at most, and a quarter as many of the guarded ones. */
  rows: number;
  /** Input tokens of the whole run, which judging is to be little beside; Infinity: not known. */
  runTokens: number;
  /** Whether an earlier part of the same run may have judged the rows already. */
  isResumed: boolean;
  signal?: AbortSignal | undefined;
  onProgress: (when: 'before' | 'after', done: number, total: number) => Promise<void>;
}

/** Share of a run's input tokens that rows to be judged may have: going through the model twice, they take 1 % of its arithmetic. */
const share = 0.015;
/** So that files stay small enough to be looked at. */
const mostTokens = 24_000;
/** However short the run. */
const leastRows = 24;

/** Held-out rows and guarded texts as the model sees them before and after a run, in `inspection` of the run's folder. */
export class Inspection {
  private readonly folder: string;

  private constructor(
    private readonly request: InspectionRequest,
    private readonly chosen: readonly ChosenRow[],
    private readonly rows: readonly InspectedRow[],
    private readonly before: readonly TokenJudgements[],
    private readonly asked: readonly AskedRow[],
    private readonly answers: readonly string[],
    private readonly isKept: boolean,
  ) {
    this.folder = folderOf(request);
  }

  /**
   * Judges the rows by the model as it stands, the base of the run, unless an earlier part of the run did. Writes nothing.
   * @returns undefined where there are no rows
   */
  static async begin(request: InspectionRequest): Promise<Inspection | undefined> {
    const { model, tokenizer, signal, runTokens, rows: most, evalRows, guardedRows } = request;
    const tokens = Math.min(mostTokens, share * runTokens);
    const bounds = { rows: most, tokens, leastRows };
    const guarded = { rows: Math.ceil(most / 4), tokens: tokens / 4, leastRows };
    const chosen = [
      ...chooseRows('eval', evalRows, bounds),
      ...chooseRows('retention', guardedRows, guarded),
    ].map((row) => withinPositions(row, model.decoder.maxPositions));
    if (chosen.length === 0) return undefined;
    const rows = chosen.map((row) => inspectedRow(row, tokenizer));
    const asked = askedRows(chosen, tokenizer);
    const kept = request.isResumed ? await readBefore(folderOf(request), rows, asked) : undefined;
    const before = kept?.before ?? (await judgeRows(chosen, judging(request, 'before')));
    const answers = kept?.answers ?? (await answersOf(model, tokenizer, asked, signal));
    return new Inspection(request, chosen, rows, before, asked, answers, kept !== undefined);
  }

  /** Writes what begin() found; what an earlier run left goes. */
  async write(): Promise<void> {
    for (const name of ['after.jsonl', 'comparison.json']) await rm(join(this.folder, name), { force: true });
    if (this.isKept) return;
    await writeTextDurably(join(this.folder, 'rows.jsonl'), lines(this.rows));
    await writeTextDurably(join(this.folder, 'before.jsonl'), lines(this.before));
    await this.writeAnswers(this.asked.map(() => ''));
  }

  /** Judges the same rows by the model as it stands at the end, and writes what is different. */
  async end(): Promise<Comparison> {
    const { request, rows, before, folder } = this;
    const { model, tokenizer, topK, signal } = request;
    const after = await judgeRows(this.chosen, judging(request, 'after'));
    const comparison = compareJudgements(rows, before, after, topK);
    await writeTextDurably(join(folder, 'after.jsonl'), lines(after));
    await writeTextDurably(join(folder, 'comparison.json'), `${JSON.stringify(comparison)}\n`);
    await this.writeAnswers(await answersOf(model, tokenizer, this.asked, signal));
    return comparison;
  }

  private async writeAnswers(after: readonly string[]): Promise<void> {
    const answers = this.asked.map(({ dataset, prompt, expected }, at): SampleAnswer => {
      return { dataset, prompt, expected, before: this.answers[at]!, after: after[at]! };
    });
    await writeTextDurably(join(this.folder, 'answers.json'), `${JSON.stringify(answers)}\n`);
  }
}

function folderOf({ outputDir }: InspectionRequest): string {
  return join(outputDir, 'inspection');
}

function judging(
  { model, tokenizer, topK, signal, onProgress }: InspectionRequest,
  when: 'before' | 'after',
) {
  return {
    ...{ model, tokenizer, topK, signal },
    onProgress: (done: number, total: number) => onProgress(when, done, total),
  };
}

/** A model with learned positions takes no longer rows. */
function withinPositions(row: ChosenRow, most: number): ChosenRow {
  const { inputIds, labels } = row.content;
  if (most === 0 || inputIds.length <= most) return row;
  return {
    ...row,
    content: { ...row.content, inputIds: inputIds.slice(0, most), labels: labels.slice(0, most) },
  };
}

function lines(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** What an earlier part of the run found of the very same rows; undefined: nothing of use. */
async function readBefore(
  folder: string,
  rows: readonly InspectedRow[],
  asked: readonly AskedRow[],
): Promise<{ before: TokenJudgements[]; answers: string[] } | undefined> {
  try {
    if ((await readFile(join(folder, 'rows.jsonl'), 'utf8')) !== lines(rows)) return undefined;
    const text = await readFile(join(folder, 'before.jsonl'), 'utf8');
    const before = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TokenJudgements);
    const answers = JSON.parse(await readFile(join(folder, 'answers.json'), 'utf8')) as SampleAnswer[];
    const isSame = answers.every(({ prompt }, at) => prompt === asked[at]?.prompt);
    if (before.length !== rows.length || answers.length !== asked.length || !isSame) return undefined;
    return { before, answers: answers.map((answer) => answer.before) };
  } catch {
    return undefined; // Not there, or damaged: judged anew.
  }
}
