import { format } from '../common/format.js';
import type { AdaptiveLossConfig } from '../config/schema/parsed-config.js';
import type { LearningStyle } from '../events/learning-style.js';
import type { TrainingRow } from '../events/training-row.js';

const fewRows = 30; // too few to tell
const mostTokens = 8; // of a short answer
const leastRepeats = 5; // of an answer, where there are few
const strict = 2; // the highest topK that still learns such answers
const looked = 2000; // rows of a mixture

/** A dataset, for messages. */
interface Named {
  name: string;
  style: LearningStyle;
  /** Where it stands in the configuration; undefined where that is not known. */
  path?: string | undefined;
}

/**
 * Looks for datasets whose answers are short and few, such as labels. As ideas, with a `topK` of more than 1 or 2, these are
 * hardly learned: the right one is soon among the first guesses and then no longer trained (docs/learning.md).
 */
export class ClosedAnswers {
  private readonly answers = new Set<string>();
  private rows = 0;
  private tokens = 0;

  /** @param labels of a row; -100 is not trained */
  add(labels: ArrayLike<number>): void {
    const answer = Array.from(labels).filter((label) => label !== -100);
    this.rows++;
    this.tokens += answer.length;
    // Longer ones are told apart by their number alone.
    if (this.answers.size <= looked) this.answers.add(answer.join());
  }

  /** What to say of them; undefined: nothing. */
  note(
    { name, style, path }: Named,
    { loss, topK }: Pick<AdaptiveLossConfig, 'loss' | 'topK'>,
  ): string | undefined {
    const { rows, tokens, answers } = this;
    const isIdeas = style === 'ideas' && loss === 'adaptive' && topK > strict;
    const isClosed = tokens <= mostTokens * rows && answers.size * leastRepeats <= rows;
    if (!isIdeas || rows < fewRows || !isClosed) return undefined;
    const place = path === undefined ? '' : ` (${path})`;
    return (
      `Dataset "${name}"${place} has few and short answers: ${format.count(answers.size)} different ones in ${format.count(rows)} ` +
      `rows, ${(tokens / rows).toFixed(1)} tokens each. As ideas with topK ${topK}, an answer among the model's first ${topK} ` +
      `guesses is trained no more, which such answers soon are. Set topK to 1 in adaptiveLossConfig, or list it under attention.`
    );
  }
}

/** The same for rows of several datasets, of which some are looked at. */
export function closedAnswers(
  rows: readonly TrainingRow[],
  loss: Pick<AdaptiveLossConfig, 'loss' | 'topK'>,
): string[] {
  if (loss.loss !== 'adaptive' || loss.topK <= strict) return [];
  const found = new Map<string, { of: Named; answers: ClosedAnswers }>();
  const count = Math.min(looked, rows.length);
  for (let at = 0; at < count; at++) {
    const {
      source = 'trainDataset',
      learningStyle: style,
      labels,
    } = rows[Math.floor((at * rows.length) / count)]!;
    const key = JSON.stringify([source, style]);
    const dataset = found.get(key) ?? { of: { name: source, style }, answers: new ClosedAnswers() };
    found.set(key, dataset);
    dataset.answers.add(labels);
  }
  return [...found.values()].flatMap(({ of, answers }) => answers.note(of, loss) ?? []);
}
