import { expect, test } from 'vitest';
import { strftime } from '../../src/tokenizer/jinja/strftime.js';

test('formats as Python does in the C locale', () => {
  const date = new Date(2024, 6, 4, 15, 5, 9); // 4 July 2024, a Thursday
  expect(strftime(date, '%d %b %Y')).toBe('04 Jul 2024');
  expect(strftime(date, '%A, %B %-d, %y at %I:%M:%S %p (day %j) 100%%')).toBe(
    'Thursday, July 4, 24 at 03:05:09 PM (day 186) 100%',
  );
  expect(strftime(date, '%Q')).toBe('%Q');
});
