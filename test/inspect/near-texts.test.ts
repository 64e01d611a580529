import { expect, it } from 'vitest';
import { NearTexts } from '../../src/inspect/near-texts.js';
import { randomNumbers } from '../helpers/random.js';

function textOf(seed: number, words: number): string[] {
  const random = randomNumbers(seed);
  return Array.from({ length: words }, () => `w${Math.floor(random() * 500)}`);
}

it('finds a text again whatever its case, punctuation and spaces are', () => {
  const texts = new NearTexts();
  texts.add('What is the capital of France?  Paris.');
  expect(texts.has('what is the capital of france - PARIS')).toBe(true);
  expect(texts.has('What is the capital of Spain? Paris.')).toBe(false);
  texts.add('?!');
  expect(texts.has('? !')).toBe(true);
  expect(texts.has('?')).toBe(false);
  expect(texts.has('')).toBe(false);
});

it('finds long texts that differ in a few words, and no others', () => {
  const texts = new NearTexts();
  for (let seed = 1; seed <= 200; seed++) texts.add(textOf(seed, 120).join(' '));
  let [found, wrong] = [0, 0];
  for (let seed = 1; seed <= 200; seed++) {
    const words = textOf(seed, 120);
    words[30] = 'another';
    words[80] = 'word';
    if (texts.has(words.join(' '))) found++;
    if (texts.has(textOf(1000 + seed, 120).join(' '))) wrong++;
    // Half of it is not enough.
    if (texts.has([...words.slice(0, 60), ...textOf(2000 + seed, 60)].join(' '))) wrong++;
  }
  expect(found).toBeGreaterThanOrEqual(190);
  expect(wrong).toBe(0);
});

it('compares short texts whole, as a template makes them alike', () => {
  const texts = new NearTexts();
  texts.add('Please name the kind of thing that the following noun is, in one word: dog');
  expect(texts.has('Please name the kind of thing that the following noun is, in one word: cat')).toBe(false);
});
