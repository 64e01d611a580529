import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';

const core = 'native/core';
/** What implements the operators for the CPU. */
const ofTheCpu = join('ops', 'cpu');

test('no file of core names a device, but those that implement the operators of one', () => {
  const files = readdirSync(core, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(h|cpp)$/.test(entry.name))
    .map((entry) => relative(core, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(ofTheCpu));
  expect(files.length).toBeGreaterThan(80);
  const naming = files.filter((file) =>
    /\bk(CPU|CUDA)\b|\bcuda\b/.test(readFileSync(join(core, file), 'utf8')),
  );
  expect(naming).toEqual([]);
});
