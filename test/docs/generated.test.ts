import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from '../../scripts/docs/comments.js';
import { pages } from '../../scripts/docs/pages.js';

const made = await pages();

it.each([...made.keys()])('%s is what "npm run docs" makes', (path) => {
  expect(made.get(path)).toBe(readFileSync(root + path, 'utf8'));
});
