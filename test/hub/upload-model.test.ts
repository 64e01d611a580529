import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { uploadModel } from '../../src/hub/models/upload-model.js';
import { failureOf } from './failure-of.js';
import { hubTest, impatient, token } from './hub-test.js';
import type { Fault } from './stand-in-hub.js';

const test = hubTest();
const weights = randomBytes(200_000);

async function modelFolder(): Promise<string> {
  const folder = join(test.folder, 'final_model');
  await mkdir(join(folder, 'extra'), { recursive: true });
  await writeFile(join(folder, 'model.safetensors'), weights);
  await writeFile(join(folder, 'config.json'), '{"model_type":"llama"}');
  await writeFile(join(folder, 'README.md'), '# tiny\n');
  await writeFile(join(folder, 'extra', 'notes é.txt'), 'a note');
  await writeFile(join(folder, 'empty.txt'), '');
  await writeFile(join(folder, '.hidden'), 'mine');
  return folder;
}
const upload = async (more: object = {}, overrides: object = {}) =>
  uploadModel({
    folder: await modelFolder(),
    repo: 'me/tiny',
    settings: test.settings({ token, ...overrides }),
    ...more,
  });
const contents = (name = 'me/tiny') => {
  const repo = test.hub.store.find('model', name)!;
  const commit = repo.commits.get(repo.branches.get('main')!)!;
  return { repo, title: commit.title, files: commit.files };
};

describe('uploadModel', () => {
  it('makes the repository and commits the whole folder at once, large files by LFS', async () => {
    const events: string[] = [];
    const { url, commit } = await upload({
      isPrivate: true,
      commitMessage: 'my words',
      onProgress: (event: { event: string; state?: string; path?: string }) =>
        events.push(`${event.state ?? event.event} ${event.path ?? ''}`),
    });
    const { repo, title, files } = contents();
    expect(url).toBe(`${test.hub.endpoint}/me/tiny`);
    expect(repo.private).toBe(true);
    expect(repo.branches.get('main')).toBe(commit);
    expect(title).toBe('my words');
    expect([...files.keys()].sort()).toEqual(
      ['README.md', 'config.json', 'empty.txt', 'extra/notes é.txt', 'model.safetensors'].sort(),
    );
    expect(files.get('model.safetensors')).toMatchObject({
      content: weights,
      sha256: expect.any(String) as string,
    });
    expect(files.get('extra/notes é.txt')!.content.toString()).toBe('a note');
    expect(files.get('empty.txt')!.content).toHaveLength(0);
    expect(events).toContain('uploading model.safetensors');
  });

  it('is public unless told otherwise, and leaves an existing repository as it is', async () => {
    await upload();
    expect(contents().repo.private).toBe(false);
    test.hub.store.put(contents().repo, { 'other.txt': 'stays' });
    await upload({ isPrivate: true });
    expect(contents().repo.private).toBe(false);
    expect(contents().files.get('other.txt')!.content.toString()).toBe('stays');
  });

  it('sends no large file that the Hub has', async () => {
    await upload();
    test.hub.clear();
    await upload();
    expect(test.hub.requests.filter(({ host }) => host === 'storage')).toEqual([]);
  });

  it('sends a very large file in parts, each again where it fails, and the token to none of them', async () => {
    test.hub.partSize = 60_000;
    const fault: Fault = { kind: 'status', status: 500 };
    test.hub.fail(/\/3\?X-Signature/, fault);
    test.hub.fail(/complete_multipart/, { kind: 'status', status: 503 });
    await upload();
    expect(contents().files.get('model.safetensors')!.content.equals(weights)).toBe(true);
    const puts = test.hub.requests.filter(({ method }) => method === 'PUT');
    expect(puts.map(({ body }) => body.length).sort()).toEqual(
      [20_000, ...Array<number>(4).fill(60_000)].sort(),
    );
    expect(puts.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    expect(test.hub.store.parts.size).toBe(0);
  });

  it('says so where the parts do not arrive as they were sent', async () => {
    test.hub.partSize = 60_000;
    test.hub.fail(/complete_multipart/, { kind: 'status', status: 400, body: '{"error":"bad parts"}' }, 9);
    const failure = await failureOf(upload());
    expect(failure.message).toMatch(/HTTP 400.*bad parts/);
    expect(contents().files.size).toBe(0);
  });

  it('puts a bare name under the account of the token', async () => {
    await upload({ repo: 'tiny' });
    expect(contents('me/tiny').files.size).toBe(5);
  });

  it('sends the token to the Hub alone', async () => {
    await upload();
    for (const { host, headers, body } of test.hub.requests) {
      expect(headers.authorization).toBe(host === 'hub' ? `Bearer ${token}` : undefined);
      expect(body.includes(token)).toBe(false);
    }
    expect(test.hub.requests.some(({ host, method }) => host === 'storage' && method === 'PUT')).toBe(true);
  });

  it('takes a token that may write but not create, where the repository is there', async () => {
    await upload();
    test.hub.fail(/repos\/create/, { kind: 'status', status: 403 }, 9);
    await upload();
    const failure = await failureOf(upload({ repo: 'me/other' }));
    expect(failure.message).toContain('HTTP 403');
  });

  it.each<[string, RegExp, Fault]>([
    ['429 at the commit', /\/commit\//, { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['503 at the commit', /\/commit\//, { kind: 'status', status: 503 }],
    ['500 of the storage', /^\/[0-9a-f]{64}/, { kind: 'status', status: 500 }],
    ['no answer of the storage', /^\/[0-9a-f]{64}/, { kind: 'hang' }],
    ['500 of the LFS batch', /objects\/batch/, { kind: 'status', status: 500 }],
    ['a cut answer to preupload', /preupload/, { kind: 'cut', after: 5 }],
  ])('gets over %s', async (_name, url, fault) => {
    test.hub.fail(url, fault, 2);
    await upload({}, fault.kind === 'hang' ? impatient : {});
    expect(contents().files.get('model.safetensors')!.content).toEqual(weights);
    expect(
      [...contents().repo.commits.values()].filter(({ title }) => title === 'Upload model'),
    ).toHaveLength(1);
  });

  it('does not send a commit twice where it is unknown whether it was made', async () => {
    test.hub.fail(/\/commit\//, { kind: 'hang' }, 9);
    const failure = await failureOf(upload({}, impatient));
    expect(failure.message).toContain('got none after 1 attempt:');
    expect(test.hub.requests.filter(({ url }) => url.includes('/commit/'))).toHaveLength(1);
  });

  it('needs a token, a connection, a name and a model', async () => {
    const none = await failureOf(upload({}, { token: undefined }));
    expect(none.message).toMatch(/expected a token that may write.*settings\/tokens and set HF_TOKEN/);
    expect((await failureOf(upload({}, { offline: true }))).message).toContain('HF_HUB_OFFLINE');
    expect((await failureOf(upload({ repo: 'a/b/c' }))).code).toBe('INVALID_INPUT');
    expect((await failureOf(upload({ folder: test.folder }))).code).toBe('MODEL_NOT_FOUND');
    expect(test.hub.requests).toEqual([]);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    test.hub.fail(/preupload/, { kind: 'hang' });
    const uploading = upload({ signal: stop.signal });
    setTimeout(() => stop.abort(), 200);
    expect((await failureOf(uploading)).code).toBe('ABORTED');
  });
});
