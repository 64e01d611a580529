import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { inspect } from 'node:util';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { downloadModel } from '../../src/hub/models/download-model.js';
import { failureOf } from './failure-of.js';
import { hubTest, impatient, token } from './hub-test.js';
import { StandInHub, type Fault } from './stand-in-hub.js';
import { tinyModel } from './tiny-model.js';

const test = hubTest();
const weights = randomBytes(300_000);
const large = /^\/[0-9a-f]{64}/;

function publish() {
  const repo = test.hub.store.create('model', 'me/tiny');
  test.hub.store.put(repo, tinyModel(weights));
  return repo;
}
const get = (overrides = {}) => downloadModel('me/tiny', { settings: test.settings(overrides) });
/** Waits no longer than it must where no answer comes. */
const getDespite = ({ kind }: Fault) => get(kind === 'hang' || kind === 'stall' ? impatient : {});
async function expectWhole(dir: string) {
  expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
}
const count = (url: RegExp) => test.hub.requests.filter((request) => url.test(request.url)).length;

describe('a passing trouble', () => {
  const troubles: [string, Fault][] = [
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['500', { kind: 'status', status: 500 }],
    ['503', { kind: 'status', status: 503 }],
    ['no answer', { kind: 'hang' }],
    ['a body that stops coming', { kind: 'stall', after: 1000 }],
    ['a body cut short', { kind: 'cut', after: 1000 }],
  ];
  it.each(troubles)('%s of the storage is got over', async (_name, fault) => {
    publish();
    test.hub.fail(large, fault, 2);
    await expectWhole(await getDespite(fault));
    expect(count(large)).toBe(3);
  });

  it.each(troubles.filter(([, { kind }]) => kind !== 'stall'))(
    '%s of the API is got over',
    async (_n, fault) => {
      publish();
      test.hub.fail(/^\/api\/.*(revision|tree)/, fault.kind === 'cut' ? { ...fault, after: 10 } : fault, 2);
      await expectWhole(await getDespite(fault));
      expect(count(/^\/api\/.*(revision|tree)/)).toBe(4);
    },
  );

  it('goes on where a body was cut, not from the start', async () => {
    publish();
    test.hub.fail(large, { kind: 'cut', after: 100_000 }, 2);
    await expectWhole(await get());
    const ranges = test.hub.requests.filter(({ url }) => large.test(url)).map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    const starts = ranges.slice(1).map((range) => Number(/\d+/.exec(range ?? '')?.[0]));
    expect(starts[0]).toBeGreaterThan(0);
    expect(starts[1]).toBeGreaterThan(starts[0]!);
  });

  /** Milliseconds that a timer may ring too early. */
  const early = 5;

  it('waits as long as Retry-After says', async () => {
    publish();
    test.hub.fail(/revision/, { kind: 'status', status: 429, headers: { 'retry-after': '1' } });
    const started = performance.now();
    await get();
    expect(performance.now() - started).toBeGreaterThanOrEqual(1000 - early);
  });

  it.each([
    ['"resolvers";r=0;t=1', 1000],
    ['"api";r=17;t=200, "resolvers"; r=0; t=1', 1000],
    ['"pages";r=3;t=200', 0],
    ['nonsense', 0],
  ])('waits as long as RateLimit says where there is no Retry-After: %s', async (ratelimit, least) => {
    publish();
    test.hub.fail(/revision/, { kind: 'status', status: 429, headers: { ratelimit } });
    const started = performance.now();
    await downloadModel('me/tiny', { settings: test.settings() });
    // What is no limit that was reached is not waited for: 200 seconds would be refused.
    expect(performance.now() - started).toBeGreaterThanOrEqual(least - early);
  });

  it('a RateLimit of an hour is not waited for, and Retry-After goes before it', async () => {
    publish();
    test.hub.fail(/revision/, { kind: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=3600' } });
    const failure = await failureOf(downloadModel('me/tiny', { settings: test.settings() }));
    expect(failure.message).toMatch(/HTTP 429\), asked once/);
    const headers = { ratelimit: '"api";r=0;t=3600', 'retry-after': '0' };
    test.hub.fail(/revision/, { kind: 'status', status: 429, headers });
    await downloadModel('me/tiny', { settings: test.settings() });
  });

  it('waits until the date that Retry-After says', async () => {
    publish();
    const date = new Date(Date.now() + 1900).toUTCString(); // whole seconds, so 0.9 s or more
    test.hub.fail(/revision/, { kind: 'status', status: 503, headers: { 'retry-after': date } });
    await get();
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(date) - early);
  });
});

describe('a lasting trouble ends with one clear error', () => {
  it.each<[string, Fault, RegExp]>([
    [
      '429',
      { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
      /too many requests.*429.*4 times/,
    ],
    ['500', { kind: 'status', status: 500 }, /HTTP 500, asked 4 times/],
    ['a hang', { kind: 'hang' }, /got none after 4 attempts.*nothing came for 1\.5 s/],
    ['a cut body', { kind: 'cut', after: 0 }, /got none after 4 attempts/],
  ])('%s', async (_name, fault, message) => {
    publish();
    test.hub.fail(large, fault, 99);
    const failure = await failureOf(getDespite(fault));
    expect(failure.code).toBe('HUB_FAILED');
    expect(failure.message).toMatch(message);
    expect(count(large)).toBe(4);
  });

  it('a Retry-After of an hour is not waited for', async () => {
    publish();
    test.hub.fail(/revision/, { kind: 'status', status: 429, headers: { 'retry-after': '3600' } });
    expect((await failureOf(get())).message).toContain('too many requests');
    expect(count(/revision/)).toBe(1);
  });

  it('no server at all', async () => {
    const closed = await StandInHub.start();
    const { endpoint } = closed;
    await closed.stop();
    const failure = await failureOf(get({ endpoint }));
    expect(failure.message).toContain(`Expected an answer from ${endpoint}/api/models/me/tiny/revision/main`);
    expect(failure.message).toMatch(/after 4 attempts: .*ECONNREFUSED.*HF_HUB_OFFLINE=1/);
  });

  it('an HF_ENDPOINT that is no address', async () => {
    expect((await failureOf(get({ endpoint: 'hub.example' }))).message).toContain('HF_ENDPOINT');
  });
});

describe('repositories that do not open', () => {
  it('a missing one: the page and how to get a token', async () => {
    const failure = await failureOf(downloadModel('me/none', { settings: test.settings() }));
    expect(failure.code).toBe('HUB_FAILED');
    expect(failure.message).toContain(
      '"me/none" on the Hub but it is missing or private, and no token was sent',
    );
    expect(failure.message).toContain(`${test.hub.endpoint}/me/none`);
    expect(failure.message).toContain(`${test.hub.endpoint}/settings/tokens`);
    expect(failure.message).toContain('HF_TOKEN');
    expect(test.hub.requests).toHaveLength(1);
  });

  it('a missing one with a token: 404', async () => {
    const failure = await failureOf(downloadModel('me/none', { settings: test.settings({ token }) }));
    expect(failure.message).toMatch(
      /missing or private, and the token that was sent does not open it \(HTTP 404\)/,
    );
  });

  it('a gated one: its page, to accept the terms', async () => {
    publish().gated = true;
    const failure = await failureOf(get());
    expect(failure.message).toContain(`it is gated, and no token was sent (HTTP 401)`);
    expect(failure.message).toContain(`Visit ${test.hub.endpoint}/me/tiny to accept its terms`);
    expect(failure.details).toMatchObject({ page: `${test.hub.endpoint}/me/tiny`, errorCode: 'GatedRepo' });
  });

  it('403', async () => {
    publish();
    test.hub.fail(/resolve.*safetensors/, {
      kind: 'status',
      status: 403,
      body: '{"error":"ask your admin"}',
    });
    const failure = await failureOf(get());
    expect(failure.message).toMatch(/refused \(HTTP 403\).*ask your admin/);
  });

  it('a wrong token: said, not shown', async () => {
    publish();
    const wrong = 'hf_wrongWrongWrongWrongWrongWrong1';
    const failure = await failureOf(get({ token: wrong }));
    expect(failure.message).toContain('Invalid credentials');
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(wrong);
  });

  it('a Hub that gives the token back in its error', async () => {
    publish();
    const odd = 'my-own-kind-of-token';
    test.hub.fail(/revision/, {
      kind: 'status',
      status: 400,
      body: JSON.stringify({ error: `bad ${odd} ${token}` }),
    });
    const failure = await failureOf(get({ token: odd }));
    expect(failure.message).toContain('bad [redacted] [redacted]');
    const shown = inspect(failure, { depth: 9, showHidden: true });
    for (const secret of [odd, token]) expect(shown).not.toContain(secret);
  });
});

describe('contents that are not what they should be', () => {
  it('a wrong hash is fetched once more', async () => {
    publish();
    test.hub.fail(large, { kind: 'damage' });
    await expectWhole(await get());
  });

  it('a hash that stays wrong is an error, and nothing of it is kept', async () => {
    publish();
    test.hub.fail(large, { kind: 'damage' }, 99);
    const failure = await failureOf(get());
    expect(failure.message).toMatch(
      /model\.safetensors .* to have the SHA-256 [0-9a-f]{64} but what came twice has/,
    );
    expect(count(large)).toBe(2);
    const blobs = await readdir(join(test.folder, 'hf/hub/models--me--tiny/blobs'));
    expect(blobs.filter((name) => name.length > 40)).toEqual([]);
  });

  it('a small file, by the hash of git', async () => {
    publish();
    test.hub.fail(/resolve.*config\.json/, { kind: 'damage' }, 99);
    expect((await failureOf(get())).message).toContain('git hash');
  });

  it.each([
    '../evil.safetensors',
    '../../../evil',
    '/etc/evil',
    'a/../../evil',
    'a\\..\\evil',
    'C:evil',
    'c:/evil',
    'a//evil',
    './evil',
    'a/..',
    'evil\u0000.json',
    '',
  ])('the file name %j is refused before anything is written', async (path) => {
    publish();
    const entry = { type: 'file', oid: '0'.repeat(40), size: 4, path };
    test.hub.fail(/\/tree\//, { kind: 'body', body: JSON.stringify([entry]) });
    const failure = await failureOf(get());
    expect(failure.code).toBe('HUB_FAILED');
    expect(failure.message).toContain('file names that stay inside the folder');
    expect(existsSync(join(test.folder, 'hf'))).toBe(false);
  });

  it.each([
    ['a hash', { oid: '../../../evil', size: 4 }],
    ['a hash', { oid: '0'.repeat(40), size: 4, lfs: { oid: '../../evil', size: 4, pointerSize: 1 } }],
    ['a size', { oid: '0'.repeat(40), size: -1 }],
  ])('%s that is none is refused: %j', async (_what, entry) => {
    publish();
    const body = JSON.stringify([{ type: 'file', path: 'config.json', ...entry }]);
    test.hub.fail(/\/tree\//, { kind: 'body', body });
    expect((await failureOf(get())).message).toMatch(/Expected the (hash|size) of config\.json from the Hub/);
    expect(existsSync(join(test.folder, 'hf'))).toBe(false);
  });

  it('a commit that is none is refused', async () => {
    publish();
    test.hub.fail(/revision/, { kind: 'body', body: '{"sha":"../../../evil"}' });
    expect((await failureOf(get())).message).toContain('Expected a commit from the Hub');
  });

  it('an answer that is no JSON is an error of the Hub', async () => {
    publish();
    test.hub.fail(/revision/, { kind: 'body', body: '<html>log in to the hotel network</html>' });
    const failure = await failureOf(get());
    expect(failure.code).toBe('HUB_FAILED');
    expect(failure.message).toContain('JSON');
  });
});
