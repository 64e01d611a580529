// What fuzz.ts runs in a process of its own: reads changed files until its rounds or its time are over. Before each it
// leaves the file where the parent finds it, should this process end or hang. Arguments: one JSON object of FuzzOrder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { randomNumbers } from '../helpers/random.js';
import { choices, mutate, type Case } from './mutate.js';
import { readCase, targets, type TargetName } from './targets.js';

export interface FuzzOrder {
  target: TargetName;
  seed: number;
  firstRound: number;
  /** The round to end before. */
  endRound: number;
  /** When to stop, in milliseconds of Date.now(). */
  until: number;
  /** Where the file that is being read stands, as `case.<name>`. */
  folder: string;
  /** A file to read as it is, and nothing else. */
  replay?: string;
}

/** What the worker says: before each file, and of each that it could not read in an orderly way. */
export type FuzzNote =
  | { type: 'reading'; round: number; name: string }
  | { type: 'outcome'; code: string; message: string }
  | { type: 'finding'; round: number; name: string; what: string };

/** Bytes that the memory of the process may grow by because of one small file. */
const mostMemory = 2 ** 30;

const order = JSON.parse(process.argv[2]!) as FuzzOrder;
const say = (note: FuzzNote) => void process.send!(note);

// Whatever a reader writes or warns of must not fill the pages of the one who runs this.
process.on('warning', () => {});

mkdirSync(order.folder, { recursive: true });
const { seeds, words, read } = await targets[order.target]();
if (order.replay !== undefined) {
  const { name } = seedNamed(order.replay);
  await tryCase(-1, readCase(order.replay, name));
} else {
  // The files that are kept come first, as they are.
  for (let round = order.firstRound; round < order.endRound && Date.now() < order.until; round++) {
    const choose = choices(randomNumbers(order.seed * 1_000_003 + round));
    const one = round < seeds.length ? seeds[round]! : choose.pick(seeds);
    const alike = seeds.filter(({ name }) => name === one.name);
    await tryCase(round, round < seeds.length ? one : mutate(one, choose.pick(alike), words, choose));
  }
}
process.disconnect();

/** A saved file has what it is at the end of its name. */
function seedNamed(path: string): Case {
  const found = seeds.filter(({ name }) => path.endsWith(`.${name}`));
  found.sort((a, b) => b.name.length - a.name.length);
  return found[0] ?? readCase(path);
}

async function tryCase(round: number, one: Case): Promise<void> {
  say({ type: 'reading', round, name: one.name });
  writeFileSync(join(order.folder, `case.${one.name}`), one.bytes);
  const before = process.resourceUsage().maxRSS;
  let outcome: FuzzNote = { type: 'outcome', code: 'read', message: '' };
  try {
    await read(one);
  } catch (error) {
    const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
    outcome =
      AdaptiveTrainerError.isInstance(error) && code !== 'NATIVE_FAILED'
        ? { type: 'outcome', code: code!, message: message! }
        : { type: 'finding', round, name: one.name, what: relative(stack ?? String(error)) };
  }
  const grown = (process.resourceUsage().maxRSS - before) * 1024;
  if (grown > mostMemory)
    outcome = { type: 'finding', round, name: one.name, what: `took ${grown} bytes of memory` };
  say(outcome);
}

function relative(stack: string): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  return stack.replaceAll(`file://${root}`, '').replaceAll(root, '').split('\n').slice(0, 6).join('\n');
}
