import type { RowExcerpt, RowFinding } from '../events/inspect-report.js';
import type { TrainingRow } from '../events/training-row.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

const promptCharacters = 120;
const answerCharacters = 160;
const mostExamples = 3;

/** Where the first trained token of a row stands, and what is trained. */
export function answerOf({ inputIds, labels }: TrainingRow): { begin: number; ids: number[] } {
  const ids = Array.from(labels).filter((label, at) => at > 0 && label !== -100);
  const begin = labels.findIndex((label, at) => at > 0 && label !== -100);
  return { begin: begin < 0 ? inputIds.length : begin, ids };
}

/** A row as it is shown to a person. */
export function excerptOf(row: TrainingRow, tokenizer: Tokenizer, nll?: number): RowExcerpt {
  const { begin, ids } = answerOf(row);
  const prompt = oneLine(tokenizer.decode(Array.from(row.inputIds).slice(0, begin)));
  const answer = oneLine(tokenizer.decode(ids));
  return {
    prompt: prompt.length > promptCharacters ? `…${prompt.slice(1 - promptCharacters)}` : prompt,
    answer: answer.length > answerCharacters ? `${answer.slice(0, answerCharacters - 1)}…` : answer,
    ...(nll === undefined ? {} : { nll }),
  };
}

/** Some of `looked` rows, with a few of them shown. */
export function findingOf(
  rows: readonly { row: TrainingRow; nll?: number }[],
  looked: number,
  tokenizer: Tokenizer,
): RowFinding {
  return {
    rows: rows.length,
    share: looked > 0 ? rows.length / looked : 0,
    examples: rows.slice(0, mostExamples).map(({ row, nll }) => excerptOf(row, tokenizer, nll)),
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
