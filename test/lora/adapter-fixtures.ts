import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readReference } from '../helpers/reference-model.js';

const root = 'test/fixtures/extra/lora';

/** Adapters of Python's peft with what it computes (scripts/oracles/lora.py). */
export const adapters = readdirSync(root).map((name) => ({ name, dir: join(root, name) }));

export function expectedOf(dir: string) {
  const reference = readReference<{ base: string }>(dir);
  return { ...reference, base: join('test/fixtures/models', reference.expected.base) };
}
