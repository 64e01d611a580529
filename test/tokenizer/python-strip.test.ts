import { expect, test } from 'vitest';
import { pythonStrip } from '../../src/tokenizer/jinja/python-strip.js';

test.each([
  ['strip', ' \t\n x \x85\x1c', undefined, 'x'],
  ['strip', '\uFEFFx\uFEFF', undefined, '\uFEFFx\uFEFF'], // Python does not count it as white space
  ['lstrip', '\n\n  x\n', '\n', '  x\n'],
  ['rstrip', '\n x\n \n', '\n', '\n x\n '],
  ['strip', 'abcxcba', 'abc', 'x'],
  ['rstrip', 'x🙂🙂', '🙂', 'x'],
  ['lstrip', '🙂🙂x', '🙂', 'x'],
  ['strip', '   ', undefined, ''],
  ['strip', 'x', '', 'x'],
] as const)('%s(%j, %j)', (side, text, characters, expected) => {
  expect(pythonStrip(side, text, characters)).toBe(expected);
});
