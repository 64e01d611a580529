import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import { tokenizedBy } from './tokenized-by.js';
import type { RankRun } from './train.child.js';
import { TwoHosts } from './two-hosts.js';

const hosts = new TwoHosts(process.pid.toString(36), '10.213.7');
const missing = hosts.open();

const program = new URL('train.child.ts', import.meta.url);
const timeout = 300_000;

describe('two hosts', () => {
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing);
  });
  afterAll(() => hosts.close());

  const dir = writeTinyModel(tempDir());
  const args = { batchSize: 2, maxSteps: 12, learningRate: 1e-3, ddpTimeout: 60 };
  const run: RankRun = { dir, args, rows: 40, tells: true, pause: 100 };
  /** Still under way whenever the link is cut, and patient with a rank that starts late. */
  const lasting: RankRun = { ...run, args: { ...args, maxSteps: 1000, ddpTimeout: 15 } };

  const start = (one: RankRun, size = 2) =>
    startRanks(program, size, () => [JSON.stringify(one)], hosts.options(size));
  const ends = async (ranks: Awaited<ReturnType<typeof start>>) =>
    (await Promise.all(ranks.map(({ result }) => result))).map(
      ({ stdout }) => JSON.parse(stdout) as { digest?: string; code?: string; message: string },
    );

  test('train as two ranks of one machine do', { timeout }, async () => {
    const found = await ends(await start(run));
    const here = await ends(await startRanks(program, 2, () => [JSON.stringify(run)]));
    expect(found.map(({ digest }) => digest)).toEqual(here.map(({ digest }) => digest));
  });

  test('a host that is cut off for a while delays the run, and changes nothing', { timeout }, async () => {
    const [whole] = await ends(await start(run));
    const ranks = await start(run);
    await ranks[1]!.has('step 3\n');
    hosts.plugIn(false);
    await delay(3000);
    hosts.plugIn(true);
    for (const { digest } of await ends(ranks)) expect(digest).toBe(whole!.digest);
  });

  test('a host that is cut off for good ends both after ddpTimeout', { timeout }, async () => {
    const ranks = await start(lasting);
    await ranks[1]!.has('step 3\n');
    hosts.plugIn(false);
    expectCutOff(await ends(ranks).finally(() => hosts.plugIn(true)));
  });

  test('a link of 20 Mbit/s makes it slower, and changes nothing', { timeout }, async ({ skip }) => {
    const [whole] = await ends(await start(run));
    const cannot = hosts.throttle('20mbit');
    if (cannot !== undefined) skip(cannot);
    const slow = await ends(await start(run)).finally(() => hosts.throttle(undefined));
    for (const { digest } of slow) expect(digest).toBe(whole!.digest);
  });

  test('a link that loses one packet in twenty changes nothing', { timeout }, async ({ skip }) => {
    const [whole] = await ends(await start(run));
    const cannot = hosts.lose(5);
    if (cannot !== undefined) skip(cannot);
    const found = await ends(await start(run));
    const lost = hosts.lost();
    hosts.lose(0);
    for (const { digest, message } of found) expect(digest, message).toBe(whole!.digest);
    // It really did: there and back.
    for (const count of lost) expect(count).toBeGreaterThan(0);
  });

  test(
    'a link that loses everything for a while delays the run, and changes nothing',
    { timeout },
    async ({ skip }) => {
      const [whole] = await ends(await start(run));
      const ranks = await start(run);
      await ranks[1]!.has('step 3\n');
      const cannot = hosts.lose(100);
      if (cannot === undefined) await delay(3000);
      hosts.lose(0);
      const found = await ends(ranks);
      if (cannot !== undefined) skip(cannot);
      for (const { digest, message } of found) expect(digest, message).toBe(whole!.digest);
    },
  );

  test(
    'a link that loses everything from then on ends both after ddpTimeout',
    { timeout },
    async ({ skip }) => {
      const ranks = await start(lasting);
      await ranks[1]!.has('step 3\n');
      const cannot = hosts.lose(100);
      const found = await ends(ranks).finally(() => hosts.lose(0));
      if (cannot !== undefined) skip(cannot);
      expectCutOff(found);
    },
  );

  test('two ranks on each train as four of one machine do', { timeout }, async () => {
    const found = await ends(await start(run, 4));
    const here = await ends(await startRanks(program, 4, () => [JSON.stringify(run)]));
    expect(new Set([...found, ...here].map(({ digest }) => digest)).size).toBe(1);
  });

  test('two ranks on each tokenize once on each', { timeout }, async () => {
    expect(await tokenizedBy(4, hosts.options(4), (rank) => Math.floor(rank / 2))).toEqual([1, 0, 1, 0]);
  });
});

/** What two hosts say of each other once nothing comes through any more. */
function expectCutOff(found: readonly { code?: string; message: string }[]) {
  for (const { code } of found) expect(code).toBe('RANKS_FAILED');
  expect(found[0]!.message).toContain('rank 1 is gone or hangs');
  expect(found[1]!.message).toContain('the way to it is gone');
}
