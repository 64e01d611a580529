import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

// Two hosts are two network namespaces of this machine with a cable (a veth pair) between them.
const id = process.pid.toString(36);
const hosts = [`at${id}a`, `at${id}b`] as const;
const cables = [`at${id}0`, `at${id}1`] as const;
const addresses = ['10.213.7.1', '10.213.7.2'] as const;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
const hasIp = spawnSync('ip', ['netns', 'add', hosts[0]], { stdio: 'ignore' }).status === 0;

const program = new URL('train.child.ts', import.meta.url);
const timeout = 300_000;

describe.runIf(hasIp)('two hosts', () => {
  beforeAll(() => {
    ip('netns', 'add', hosts[1]);
    ip('link', 'add', cables[0], 'type', 'veth', 'peer', 'name', cables[1]);
    hosts.forEach((host, i) => {
      ip('link', 'set', cables[i]!, 'netns', host);
      ip('-n', host, 'addr', 'add', `${addresses[i]}/24`, 'dev', cables[i]!);
      ip('-n', host, 'link', 'set', 'lo', 'up');
      ip('-n', host, 'link', 'set', cables[i]!, 'up');
    });
  });
  afterAll(() => hosts.forEach((host) => ip('netns', 'del', host)));

  const dir = writeTinyModel(tempDir());
  const args = { batchSize: 2, maxSteps: 12, learningRate: 1e-3, ddpTimeout: 60 };
  const run: RankRun = { dir, args, rows: 40, tells: true, pause: 100 };

  const start = (one: RankRun) =>
    startRanks(program, 2, () => [JSON.stringify(one)], {
      prefix: (rank) => ['ip', 'netns', 'exec', hosts[rank]!],
      env: () => ({ MASTER_ADDR: addresses[0], LOCAL_RANK: '0', LOCAL_WORLD_SIZE: '1' }),
    });
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
    ip('-n', hosts[1], 'link', 'set', cables[1], 'down');
    await delay(3000);
    ip('-n', hosts[1], 'link', 'set', cables[1], 'up');
    for (const { digest } of await ends(ranks)) expect(digest).toBe(whole!.digest);
  });

  test('a host that is cut off for good ends both after ddpTimeout', { timeout }, async () => {
    const ranks = await start({ ...run, args: { ...args, ddpTimeout: 5 } });
    await ranks[1]!.has('step 3\n');
    ip('-n', hosts[1], 'link', 'set', cables[1], 'down');
    const found = await ends(ranks).finally(() => ip('-n', hosts[1], 'link', 'set', cables[1], 'up'));
    for (const { code } of found) expect(code).toBe('RANKS_FAILED');
    expect(found[0]!.message).toContain('rank 1 is gone or hangs');
    expect(found[1]!.message).toContain('the way to it is gone');
  });

  test('a link of 20 Mbit/s makes it slower, and changes nothing', { timeout }, async () => {
    const shaped = [
      'qdisc',
      'add',
      'dev',
      cables[0],
      'root',
      'tbf',
      'rate',
      '20mbit',
      'burst',
      '32kb',
      'latency',
      '50ms',
    ];
    if (spawnSync('tc', ['-n', hosts[0], ...shaped], { stdio: 'ignore' }).status !== 0) return;
    const slow = await ends(await start(run));
    execFileSync('tc', ['-n', hosts[0], 'qdisc', 'del', 'dev', cables[0], 'root']);
    const [whole] = await ends(await start(run));
    for (const { digest } of slow) expect(digest).toBe(whole!.digest);
  });
});
