import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cachedLibtorchDir } from '../../../src/engine/libtorch/cached-libtorch-dir.js';
import { extractZip } from '../../../src/engine/libtorch/extract-zip.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { libraryNames } from '../../../src/engine/libtorch/library-names.js';
import { setupLibtorch } from '../../../src/engine/libtorch/setup-libtorch.js';
import { errorOf } from './error-of.js';
import { fakeLibtorchFiles } from './fake-libtorch.js';
import { makeWheel, makeZip } from './make-zip.js';
import { tempDir } from './temp-dir.js';
import type { LibtorchFetcher } from '../../../src/engine/libtorch/fetch-pinned-libtorch.js';
import type { SetupProgress } from '../../../src/common/setup-progress.js';

const cpu = libraryNames()[1]!;
const unwanted = { 'nn/modules.py': 'python', 'lib/libtorch_python.so': 'python', 'bin/protoc': 'tool' };

/** A fetcher that hands over the given zip, and counts how often it was asked. */
function stubFetcher(zip: Buffer, kind: 'wheel' | 'archive' = 'wheel'): LibtorchFetcher & { calls: number } {
  const fetcher: LibtorchFetcher = async (workDir) => {
    stub.calls++;
    const file = path.join(workDir, 'fetched.zip');
    writeFileSync(file, zip);
    return { zip: file, kind, source: 'a test' };
  };
  const stub = Object.assign(fetcher, { calls: 0 });
  return stub;
}

function freshCache(): { env: NodeJS.ProcessEnv; root: string; parent: string } {
  const env = { ADAPTIVE_TRAINER_CACHE: path.join(tempDir(), 'cache') };
  const root = cachedLibtorchDir(env);
  return { env, root, parent: path.dirname(root) };
}

describe('setup from a wheel', () => {
  test('takes lib, include and share/cmake, writes a manifest, and is found afterwards', async () => {
    const { env, root, parent } = freshCache();
    const files = fakeLibtorchFiles();
    const fetcher = stubFetcher(makeWheel({ ...files, ...unwanted }));
    const libtorch = await setupLibtorch({ env, fetcher });
    expect(libtorch).toMatchObject({ root, version: '2.13.0+cpu', source: 'cache', cuda: false });
    expect(findLibtorch({ env })).toEqual(libtorch);

    const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(names.map((entry) => entry.name).sort()).toEqual(
      [...Object.keys(files).map((name) => path.basename(name)), 'manifest.json'].sort(),
    );
    const manifest = JSON.parse(readFileSync(path.join(root, 'manifest.json'), 'utf8'));
    const content = files[`lib/${cpu}`]!;
    expect(manifest).toMatchObject({ version: '2.13.0+cpu', source: 'a test' });
    expect(manifest.files[`lib/${cpu}`]).toEqual({
      size: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
    expect(readdirSync(parent)).toEqual([path.basename(root)]);
  });

  test('a second run fetches nothing and says where it is; force fetches again', async () => {
    const { env, root } = freshCache();
    const fetcher = stubFetcher(makeWheel(fakeLibtorchFiles()));
    await setupLibtorch({ env, fetcher });
    const seen: SetupProgress[] = [];
    await setupLibtorch({ env, fetcher, onProgress: (progress) => seen.push(progress) });
    expect(fetcher.calls).toBe(1);
    expect(seen).toEqual([
      { phase: 'found', message: `libtorch 2.13.0+cpu is in ${root}; nothing to fetch.` },
    ]);
    await setupLibtorch({ env, fetcher, force: true });
    expect(fetcher.calls).toBe(2);
  });

  test('a damaged cache and the leftovers of a killed setup are replaced', async () => {
    const { env, root, parent } = freshCache();
    const fetcher = stubFetcher(makeWheel(fakeLibtorchFiles()));
    await setupLibtorch({ env, fetcher });
    rmSync(path.join(root, 'lib', cpu));
    mkdirSync(`${root}.part-killed`);
    await setupLibtorch({ env, fetcher });
    expect(fetcher.calls).toBe(2);
    expect(readdirSync(parent)).toEqual([path.basename(root)]);
  });

  test('two setups at once: one fetches, the other waits and fetches nothing', async () => {
    const { env } = freshCache();
    const zip = makeWheel(fakeLibtorchFiles());
    let calls = 0;
    const seen: SetupProgress[] = [];
    const fetcher: LibtorchFetcher = async (workDir) => {
      calls++;
      while (!seen.some(({ phase }) => phase === 'wait'))
        await new Promise((resolve) => setTimeout(resolve, 5));
      writeFileSync(path.join(workDir, 'w.zip'), zip);
      return { zip: path.join(workDir, 'w.zip'), kind: 'wheel', source: 'a test' };
    };
    const setup = (): Promise<unknown> =>
      setupLibtorch({ env, fetcher, onProgress: (progress) => seen.push(progress) });
    const [one, two] = await Promise.all([setup(), setup()]);
    expect(calls).toBe(1);
    expect(two).toEqual(one);
    expect(seen.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['wait', 'done', 'found']));
  });
});

describe('what setup refuses', () => {
  test('a file that differs from the RECORD, naming it with both checksums', async () => {
    const { env, root, parent } = freshCache();
    const fetcher = stubFetcher(makeWheel(fakeLibtorchFiles(), { tamper: `lib/${cpu}` }));
    const error = await errorOf(() => setupLibtorch({ env, fetcher }));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toMatch(new RegExp(`torch/lib/${cpu} has sha256 [0-9a-f]{64}, not [0-9a-f]{64}`));
    expect(existsSync(root)).toBe(false);
    expect(readdirSync(parent)).toEqual([]);
  });

  test('a wheel without a RECORD', async () => {
    const { env, root } = freshCache();
    const error = await errorOf(() =>
      setupLibtorch({ env, fetcher: stubFetcher(makeWheel(fakeLibtorchFiles(), { record: false })) }),
    );
    expect(error.message).toContain('Expected a RECORD of checksums');
    expect(existsSync(root)).toBe(false);
  });

  test('a wheel that lacks a library', async () => {
    const { env } = freshCache();
    const { [`lib/${cpu}`]: _gone, ...files } = fakeLibtorchFiles();
    const error = await errorOf(() => setupLibtorch({ env, fetcher: stubFetcher(makeWheel(files)) }));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toContain(cpu);
  });

  test('a sound cache survives a refetch that fails', async () => {
    const { env } = freshCache();
    await setupLibtorch({ env, fetcher: stubFetcher(makeWheel(fakeLibtorchFiles())) });
    const bad = stubFetcher(makeWheel(fakeLibtorchFiles(), { tamper: `lib/${cpu}` }));
    await errorOf(() => setupLibtorch({ env, fetcher: bad, force: true }));
    expect(findLibtorch({ env }).source).toBe('cache');
  });

  test('bytes that are no zip', async () => {
    const { env } = freshCache();
    const error = await errorOf(() =>
      setupLibtorch({ env, fetcher: stubFetcher(Buffer.from('<html>no</html>')) }),
    );
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toContain('Expected a sound zip');
  });
});

describe('setup from the official archive', () => {
  test('takes the files below libtorch/', async () => {
    const { env, root } = freshCache();
    const files = { ...fakeLibtorchFiles(), 'build-version': '2.13.0+cpu\n' };
    const zip = makeZip(
      Object.entries(files).map(([name, content]) => ({ name: `libtorch/${name}`, content })),
    );
    const libtorch = await setupLibtorch({ env, fetcher: stubFetcher(zip, 'archive') });
    expect(libtorch.version).toBe('2.13.0+cpu');
    expect(readFileSync(path.join(root, 'build-version'), 'utf8')).toBe('2.13.0+cpu\n');
  });
});

describe('extracting', () => {
  const inside = (zip: Buffer): { zip: string; into: string; dir: string } => {
    const dir = tempDir();
    const file = path.join(dir, 'test.zip');
    writeFileSync(file, zip);
    return { zip: file, into: path.join(dir, 'into'), dir };
  };

  test.each(['torch/../../outside.txt', '/outside.txt', 'torch\\..\\..\\outside.txt'])(
    'refuses %s',
    async (name) => {
      const { dir, ...options } = inside(makeZip([{ name, content: 'x' }]));
      const error = await errorOf(() => extractZip({ ...options, select: (entry) => entry }));
      expect(error.code).toBe('LIBTORCH_BROKEN');
      expect(readdirSync(dir)).toEqual(['test.zip']);
    },
  );

  test('refuses a path that only selecting makes leave the folder', async () => {
    const { dir, ...options } = inside(makeZip([{ name: 'torch/x.txt', content: 'x' }]));
    const error = await errorOf(() => extractZip({ ...options, select: () => '../outside.txt' }));
    expect(error.message).toContain('leaves the folder');
    expect(readdirSync(dir)).toEqual(['test.zip']);
  });

  test('refuses a link', async () => {
    const { dir: _, ...options } = inside(makeZip([{ name: 'lib', content: '/etc', mode: 0o120777 }]));
    const error = await errorOf(() => extractZip({ ...options, select: (entry) => entry }));
    expect(error.message).toContain('is a link');
  });

  test('notices a zip that was cut off', async () => {
    const whole = makeZip([{ name: 'a', content: 'x'.repeat(1000) }]);
    const { dir: _, ...options } = inside(whole.subarray(0, 600));
    const error = await errorOf(() => extractZip({ ...options, select: (entry) => entry }));
    expect(error.code).toBe('LIBTORCH_BROKEN');
  });

  test('reports bytes and checksums', async () => {
    const { dir: _, ...options } = inside(makeZip([{ name: 'a/b.txt', content: 'hello' }]));
    const seen: [number, number][] = [];
    const files = await extractZip({
      ...options,
      select: (entry) => entry,
      onBytes: (...at) => seen.push(at),
    });
    expect(seen).toEqual([[5, 5]]);
    expect(files.get('a/b.txt')).toEqual({
      entryName: 'a/b.txt',
      size: 5,
      sha256: createHash('sha256').update('hello').digest('hex'),
    });
  });
});
