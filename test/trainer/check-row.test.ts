import { expect, it } from 'vitest';
import type { TrainingRow } from '../../src/events/training-row.js';
import { checkRow } from '../../src/trainer/batches/check-row.js';

const check = (row: Partial<TrainingRow>, maxPositions = 0) =>
  checkRow(
    { inputIds: [0, 1], labels: [-100, 1], learningStyle: 'ideas', ...row },
    { dataset: 'trainDataset', row: 3 },
    { vocabSize: 10, decoder: { maxPositions } },
  );

it.each<[string, Partial<TrainingRow>, number?]>([
  ['the first and the last id of the vocabulary', { inputIds: [0, 9], labels: [-100, 9] }],
  ['the label 0', { inputIds: [5, 0], labels: [-100, 0] }],
  ['as many tokens as there are positions', {}, 2],
  [
    'any number of tokens where positions are not learned',
    { inputIds: Array(99).fill(1), labels: Array(99).fill(1) },
  ],
])('takes %s', (_, row, maxPositions) => {
  expect(() => check(row, maxPositions)).not.toThrow();
});

it.each<[string, Partial<TrainingRow>, RegExp, number?]>([
  [
    'an id of the size of the vocabulary',
    { inputIds: [0, 10] },
    /from 0 to 9 in row 3.*found 10 at position 1/,
  ],
  ['an id below 0', { inputIds: [-1, 1] }, /found -1 at position 0/],
  ['an id that is no whole number', { inputIds: [0.5, 1] }, /found 0.5 at position 0/],
  ['a label of the size of the vocabulary', { labels: [-100, 10] }, /labels from 0 to 9 or -100.*found 10/],
  ['a label below 0 that is not -100', { labels: [-100, -1] }, /found -1 at position 1/],
  ['a label at the first position alone', { labels: [1, -100] }, /at least one token to train.*found none/],
  [
    'one token more than there are positions',
    { inputIds: [1, 1, 1], labels: [1, 1, 1] },
    /at most 2 tokens/,
    2,
  ],
  ['no token', { inputIds: [], labels: [] }, /at least one token in/],
  ['fewer labels than tokens', { labels: [1] }, /one label per token \(2\).*found 1/],
])('refuses %s', (_, row, message, maxPositions) => {
  expect(() => check(row, maxPositions)).toThrow(message);
});
