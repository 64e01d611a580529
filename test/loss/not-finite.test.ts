// One NaN or infinity, wherever it is, is an error that names its place; the process lives.
import { describe, expect, it } from 'vitest';
import { adaptiveLoss, type AdaptiveLossOptions } from '../../src/loss/adaptive-loss.js';
import { errorOf } from '../helpers/error-of.js';
import { randomNumbers } from '../helpers/random.js';

const [rows, seq, hiddenSize, vocabSize] = [2, 3, 4, 7];
const random = randomNumbers(3);
const floats = (length: number) => Float32Array.from({ length }, () => 2 * random() - 1);

const sound: AdaptiveLossOptions = {
  rows,
  seq,
  hiddenSize,
  vocabSize,
  topK: 2,
  styles: ['ideas', 'attention'],
  labels: [1, 2, 3, 4, -100, 6],
  hidden: floats(rows * seq * hiddenSize),
  weight: floats(vocabSize * hiddenSize),
};

const variants: Partial<AdaptiveLossOptions>[] = [
  {},
  { training: false },
  { dtype: 'bfloat16' },
  { chunkTokens: 1 },
  { confidence: 0.5 },
];

function withValue(array: Float32Array, index: number, value: number): Float32Array {
  const changed = array.slice();
  changed[index] = value;
  return changed;
}

describe.each([NaN, Infinity, -Infinity])('adaptiveLoss with one %s', (value) => {
  it('in hidden names the row, the position and the column', async () => {
    for (const variant of variants) {
      for (let index = 0; index < sound.hidden.length; index++) {
        const hidden = withValue(sound.hidden, index, value);
        const error = await errorOf(() => adaptiveLoss({ ...sound, ...variant, hidden }), 'INVALID_INPUT');
        const token = Math.floor(index / hiddenSize);
        expect(error.message).toContain(
          `in row ${Math.floor(token / seq)}, position ${token % seq}, column ${index % hiddenSize}.`,
        );
        expect(error.message).toContain('in hidden');
      }
    }
  });

  it('in weight names the row and the column', async () => {
    for (const variant of variants) {
      for (let index = 0; index < sound.weight.length; index++) {
        const weight = withValue(sound.weight, index, value);
        const error = await errorOf(() => adaptiveLoss({ ...sound, ...variant, weight }), 'INVALID_INPUT');
        expect(error.message).toContain(
          `in weight, found ${String(value).replace('Infinity', 'inf').replace('NaN', 'nan')} in row ` +
            `${Math.floor(index / hiddenSize)}, column ${index % hiddenSize}.`,
        );
      }
    }
  });
});

it('adaptiveLoss names the token whose finite numbers have a product that is not', async () => {
  const hidden = withValue(sound.hidden, hiddenSize, 3e38);
  const weight = withValue(sound.weight, 0, 3e38);
  for (const variant of variants) {
    const error = await errorOf(
      () => adaptiveLoss({ ...sound, ...variant, hidden, weight }),
      'LOSS_NOT_FINITE',
    );
    expect(error.message).toContain('row 0, position 1');
  }
  expect((await adaptiveLoss(sound)).loss).toBeGreaterThan(0);
});
