import { readFile } from 'node:fs/promises';
import type { HeldOut } from '../../examples/quickstart/measure.js';

export const seedModel = 'examples/seed-lm';

/** Texts and chats of the kind that the small model was made from, which it never saw. */
export async function heldOut(): Promise<HeldOut> {
  return JSON.parse(await readFile(`${seedModel}/heldout.json`, 'utf8')) as HeldOut;
}
