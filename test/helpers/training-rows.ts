import { learningStyles } from '../../src/events/learning-style.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { randomNumbers } from './random.js';

/** Random rows of 3 to `longest` tokens, of which the first few are a prompt without labels; the same from the same seed. */
export function trainingRows(count: number, vocabSize: number, seed = 1, longest = 20): TrainingRow[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, (_, i) => {
    const length = 3 + Math.floor(random() * (longest - 2));
    const inputIds = Array.from({ length }, () => Math.floor(random() * vocabSize));
    const prompt = Math.floor(random() * (length - 1));
    return {
      inputIds,
      labels: inputIds.map((id, t) => (t < prompt ? -100 : id)),
      learningStyle: learningStyles[i % 4]!,
      source: i % 3 === 0 ? 'first' : 'second',
    };
  });
}
