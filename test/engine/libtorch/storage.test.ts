import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { fetchPinnedLibtorch } from '../../../src/engine/libtorch/fetch-pinned-libtorch.js';
import { setupLibtorch } from '../../../src/engine/libtorch/setup-libtorch.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { errorOf } from './error-of.js';
import type { LibtorchFetcher } from '../../../src/engine/libtorch/fetch-pinned-libtorch.js';

const fetcher: LibtorchFetcher = async (workDir) => {
  await writeFile(path.join(workDir, 'libtorch.zip'), Buffer.alloc(4e6));
  throw new Error('Expected the disk to be full.');
};

/** A disk of one megabyte, where this machine lets a test make one. */
function tinyDisk(): { folder: string; remove: () => void } | undefined {
  const folder = path.join(tempDir(), 'disk');
  mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) return undefined;
  return { folder, remove: () => execFileSync('umount', [folder]) };
}

afterEach(() => vi.unstubAllEnvs());

describe('a cache that libtorch cannot be put into', () => {
  test('a folder that cannot be made: the cause, and what helps', async () => {
    const file = path.join(tempDir(), 'file');
    writeFileSync(file, '');
    const env = { ADAPTIVE_TRAINER_CACHE: path.join(file, 'cache') };
    const error = await errorOf(() => setupLibtorch({ env, fetcher }));
    expect(error.code).toBe('IO_FAILED');
    expect(error.message).toContain(
      `Expected to write to ${path.join(env.ADAPTIVE_TRAINER_CACHE, 'libtorch')}`,
    );
    expect(error.message).toContain('(ENOTDIR)');
    expect(error.message).toContain('set ADAPTIVE_TRAINER_CACHE to a folder that you may write to');
  });

  test.runIf(process.platform === 'linux')('a full disk', async ({ skip }) => {
    const disk = tinyDisk();
    if (disk === undefined) return skip('this machine lets no test make a disk');
    const env = { ADAPTIVE_TRAINER_CACHE: disk.folder };
    try {
      const error = await errorOf(() => setupLibtorch({ env, fetcher }));
      expect(error.code).toBe('IO_FAILED');
      expect(error.message).toMatch(/but the disk is full \(ENOSPC, \d+ MB are free\)/);
      expect(error.message).toContain('set ADAPTIVE_TRAINER_CACHE to a folder on another disk');
    } finally {
      disk.remove();
    }
  });

  test('a full disk that pip tells of', async () => {
    const pip: LibtorchFetcher = () =>
      Promise.reject(new Error('ERROR: Could not install: [Errno 28] No space left on device'));
    const error = await errorOf(() =>
      setupLibtorch({ env: { ADAPTIVE_TRAINER_CACHE: tempDir() }, fetcher: pip }),
    );
    expect(error).toMatchObject({ code: 'IO_FAILED', message: expect.stringContaining('the disk is full') });
  });
});

test('a proxy that Node does not go through is told of, with what makes it', async () => {
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:9');
  vi.stubEnv('NODE_USE_ENV_PROXY', '');
  const refuse = () => Promise.reject(new Error('fetch failed'));
  const sources = { wheel: { interpreters: [] }, archive: { fetch: refuse as typeof fetch } };
  const failure = () => errorOf(() => fetchPinnedLibtorch(tempDir(), () => {}, sources));
  expect((await failure()).message).toContain('NODE_USE_ENV_PROXY=1');
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');
  expect((await failure()).message).not.toContain('NODE_USE_ENV_PROXY');
});
