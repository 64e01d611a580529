import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

interface Expected {
  base: string;
  lengths: number[];
  loss: number;
  trainLosses: number[];
  gradNorms: number[];
  optimizer: { lr: number; betas: [number, number]; eps: number; weightDecay: number; maxGradNorm: number };
}

const root = 'test/fixtures/extra/lora';

/** Adapters of Python's peft with what it computes (scripts/oracles/lora.py). */
export const adapters = readdirSync(root).map((name) => ({ name, dir: join(root, name) }));

export function expectedOf(dir: string) {
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected;
  const arrays = readSafetensors(join(dir, 'expected.safetensors'));
  const ids = Int32Array.from(numbers(arrays['inputIds']!));
  let start = 0;
  const rows = expected.lengths.map((length) => ids.slice(start, (start += length)));
  return { expected, arrays, rows, base: join('test/fixtures/models', expected.base) };
}
