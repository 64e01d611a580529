import type { LearningStyle } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { TokenArrays } from '../../engine/addon.js';
import type { EvaluationMetrics } from '../../events/training-event.js';

/** Sums over the tokens of some rows, and the metrics they make. */
class Tally {
  private rows = 0;
  private tokens = 0;
  private nll = 0;
  private correct = 0;
  private inTopK = 0;

  addRow(): void {
    this.rows++;
  }

  addToken(nll: number, isCorrect: boolean, isInTopK: boolean): void {
    this.tokens++;
    this.nll += nll;
    if (isCorrect) this.correct++;
    if (isInTopK) this.inTopK++;
  }

  metrics(): EvaluationMetrics {
    const share = (count: number) => count / this.tokens; // every row has a token that is trained
    return {
      rows: this.rows,
      labelledTokens: this.tokens,
      loss: share(this.nll),
      perplexity: Math.exp(share(this.nll)),
      tokenAccuracy: share(this.correct),
      inTopKShare: share(this.inTopK),
      outsideTopKShare: 1 - share(this.inTopK),
    };
  }
}

/** Gathers an evaluation over micro-batches: overall, by source dataset and by learning style. No logits are kept. */
export class Evaluation {
  private readonly all = new Tally();
  private readonly sources = new Map<string, Tally>();
  private readonly styles = new Map<LearningStyle, Tally>();

  constructor(private readonly topK: number) {}

  add(rows: readonly TrainingRow[], perToken: TokenArrays): void {
    const tallies = rows.map((row) => [
      this.all,
      tallyOf(this.sources, row.source ?? 'default'),
      tallyOf(this.styles, row.learningStyle),
    ]);
    for (const row of tallies) for (const tally of row) tally.addRow();
    perToken.rows.forEach((row, i) => {
      const isCorrect = perToken.predicted[i] === perToken.labels[i];
      // Beside a NaN no logit is greater.
      const isInTopK = perToken.predicted[i]! >= 0 && perToken.rank[i]! < this.topK;
      for (const tally of tallies[row]!) tally.addToken(perToken.nll[i]!, isCorrect, isInTopK);
    });
  }

  metrics(): EvaluationMetrics {
    return this.all.metrics();
  }

  bySource(): Record<string, EvaluationMetrics> {
    return Object.fromEntries([...this.sources].map(([name, tally]) => [name, tally.metrics()]));
  }

  byStyle(): Partial<Record<LearningStyle, EvaluationMetrics>> {
    return Object.fromEntries([...this.styles].map(([style, tally]) => [style, tally.metrics()]));
  }
}

function tallyOf<Key>(tallies: Map<Key, Tally>, key: Key): Tally {
  let tally = tallies.get(key);
  if (tally === undefined) tallies.set(key, (tally = new Tally()));
  return tally;
}
