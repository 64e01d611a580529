import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cachedCudaLibtorch } from '../../../src/engine/libtorch/cuda/cached-cuda-libtorch.js';
import { chooseBinaries, loadAddon } from '../../../src/engine/load/load-addon.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { writeFakeLibtorch } from '../libtorch/fake-libtorch.js';

let folder: string, addon: string, builtWith: string;

/** An addon with the libtorch that it was built with, and an empty cache. */
beforeEach(() => {
  folder = tempDir();
  addon = path.join(folder, 'addon', 'adaptive_trainer.node');
  builtWith = writeFakeLibtorch(path.join(folder, 'cpu'), { version: '2.13.0+cpu' });
  mkdirSync(path.dirname(addon));
  writeFileSync(addon, '');
  describeAddon('2.13.0+cpu');
  vi.stubEnv('ADAPTIVE_TRAINER_ADDON', addon);
  vi.stubEnv('ADAPTIVE_TRAINER_CACHE', path.join(folder, 'cache'));
  for (const name of ['ADAPTIVE_TRAINER_LIBTORCH', 'LIBTORCH']) vi.stubEnv(name, '');
});
afterEach(() => vi.unstubAllEnvs());

function describeAddon(libtorchVersion: string): void {
  const build = JSON.stringify({ libtorchRoot: builtWith, libtorchVersion });
  writeFileSync(path.join(path.dirname(addon), 'adaptive_trainer.build.json'), build);
}

/** What `setup --cuda` leaves in the cache. */
function cached(version: string): string {
  const files = { 'lib/libtorch_cuda.so': { size: 1, sha256: '' } };
  const extra = { 'lib/libtorch_cuda.so': 'x', 'manifest.json': JSON.stringify({ version, files }) };
  return writeFakeLibtorch(cachedCudaLibtorch(version), { version, extra });
}

const chosen = (cuda: boolean) => {
  const { addon: file, libtorch } = chooseBinaries({ cuda });
  expect(file).toBe(addon);
  return { root: libtorch.root, cuda: libtorch.cuda, source: libtorch.source };
};

describe.runIf(process.platform === 'linux')('what is loaded where a GPU is asked for', () => {
  test('the libtorch with CUDA of the cache, which nothing else takes', () => {
    expect(chosen(true)).toEqual({ root: builtWith, cuda: false, source: 'build' });
    const root = cached('2.13.0+cu130');
    expect(chosen(true)).toEqual({ root, cuda: true, source: 'cache' });
    expect(chosen(false)).toEqual({ root: builtWith, cuda: false, source: 'build' });
  });

  test('the one of the release that the addon was built for', () => {
    cached('2.13.0+cu130');
    describeAddon('2.14.1+cpu');
    expect(chosen(true)).toMatchObject({ root: builtWith, cuda: false });
    const root = cached('2.14.1+cu130');
    expect(chosen(true)).toMatchObject({ root, cuda: true });
  });

  test('not one that is damaged', () => {
    truncateSync(path.join(cached('2.13.0+cu130'), 'lib', 'libtorch_cuda.so'));
    expect(chosen(true)).toMatchObject({ root: builtWith, cuda: false });
  });

  test('what a variable names comes first, whatever it computes on', () => {
    cached('2.13.0+cu130');
    const root = writeFakeLibtorch(path.join(folder, 'named'), { version: '2.13.1' });
    vi.stubEnv('LIBTORCH', root);
    expect(chosen(true)).toEqual({ root, cuda: false, source: 'LIBTORCH' });
  });

  // The last one: what a process has loaded stays.
  test('what this process has loaded comes before all', () => {
    vi.unstubAllEnvs();
    const { libtorch } = chooseBinaries();
    loadAddon();
    vi.stubEnv('ADAPTIVE_TRAINER_CACHE', path.join(folder, 'cache'));
    cached('2.13.0+cu130');
    const { root, source } = chooseBinaries({ cuda: true }).libtorch;
    expect({ root, source }).toEqual({ root: libtorch.root, source: 'process' });
  });
});
