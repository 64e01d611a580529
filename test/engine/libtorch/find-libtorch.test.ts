import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cachedLibtorchDir } from '../../../src/engine/libtorch/cached-libtorch-dir.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { libraryNames } from '../../../src/engine/libtorch/library-names.js';
import { libtorchPin } from '../../../src/engine/libtorch/libtorch-pin.js';
import { pythonTorch } from '../../../src/engine/libtorch/python-torch.js';
import { thisMachine } from '../../../src/engine/platform/machine.js';
import { libtorchPackage } from '../../../src/engine/platform/prebuilt.js';
import { supportsVersion } from '../../../src/engine/libtorch/supports-version.js';
import { errorOf } from './error-of.js';
import { fakeLibtorchFiles, writeFakeLibtorch } from './fake-libtorch.js';
import { tempDir } from './temp-dir.js';
import type { PythonTorch } from '../../../src/engine/libtorch/python-torch.js';

const noPython = (): PythonTorch => ({ tried: ['python3: has no torch', 'python: not installed'] });
const cpu = libraryNames()[1]!;

function manifest(overrides: Record<string, number> = {}): Record<string, string> {
  const libraries = Object.entries(fakeLibtorchFiles()).filter(([name]) => name.startsWith('lib/'));
  const files = libraries.map(([name, content]) => [
    name,
    { size: overrides[name] ?? content.length, sha256: 'unused here' },
  ]);
  return { 'manifest.json': JSON.stringify({ version: '2.13.0+cpu', files: Object.fromEntries(files) }) };
}

describe('the order of the search', () => {
  test('ADAPTIVE_TRAINER_LIBTORCH, then LIBTORCH, then the package of npm, then the cache, then Python', () => {
    const dir = tempDir();
    const [first, second, python] = ['first', 'second', 'python'].map((name) =>
      writeFakeLibtorch(path.join(dir, name)),
    );
    const env: NodeJS.ProcessEnv = { ADAPTIVE_TRAINER_CACHE: path.join(dir, 'cache') };
    const cached = writeFakeLibtorch(cachedLibtorchDir(env), { extra: manifest() });
    const withPython = { python: (): PythonTorch => ({ root: python!, tried: [] }) };

    const all = { ...env, ADAPTIVE_TRAINER_LIBTORCH: first, LIBTORCH: second };
    expect(findLibtorch({ env: all, ...withPython })).toMatchObject({
      root: first,
      source: 'ADAPTIVE_TRAINER_LIBTORCH',
    });
    expect(findLibtorch({ env: { ...env, LIBTORCH: second }, ...withPython })).toMatchObject({
      root: second,
      source: 'LIBTORCH',
    });
    expect(findLibtorch({ env, ...withPython })).toMatchObject({
      root: cached,
      source: 'cache',
      version: '2.13.0+cpu',
    });
    const name = libtorchPackage(thisMachine());
    const root = path.join(dir, 'node_modules', 'adaptive-trainer');
    const ofNpm = path.join(dir, 'node_modules', name);
    // Libraries alone, as it is packed: nothing is compiled with it.
    const extra = { ...manifest(), 'package.json': JSON.stringify({ name }) };
    writeFakeLibtorch(ofNpm, { extra, omit: ['include/ATen/ATen.h', 'include/torch/headeronly/version.h'] });
    expect(findLibtorch({ env, root, ...withPython })).toMatchObject({ root: ofNpm, source: 'package' });
    expect(findLibtorch({ env, root, withHeaders: true, ...withPython }).root).toBe(cached);
    const empty = { ADAPTIVE_TRAINER_CACHE: path.join(dir, 'nothing') };
    expect(findLibtorch({ env: empty, ...withPython })).toMatchObject({ root: python, source: 'python' });
  });

  test('Python is not started when something comes before it', () => {
    const root = writeFakeLibtorch(tempDir());
    const python = (): never => {
      throw new Error('asked Python');
    };
    expect(findLibtorch({ env: { LIBTORCH: root }, python }).root).toBe(root);
  });

  test('describes what it found', () => {
    const root = writeFakeLibtorch(tempDir(), { extra: { 'version.py': "__version__ = '2.12.1+cu130'\n" } });
    writeFileSync(path.join(root, 'lib', cpu.replace('torch_cpu', 'torch_cuda')), 'cuda');
    expect(findLibtorch({ env: { LIBTORCH: root } })).toEqual({
      root,
      libDir: path.join(root, 'lib'),
      includeDir: path.join(root, 'include'),
      cmakePrefix: path.join(root, 'share', 'cmake'),
      version: '2.12.1+cu130',
      source: 'LIBTORCH',
      ...(process.platform === 'linux' ? { cxx11Abi: true } : {}),
      cuda: true,
    });
  });

  test('tells a libtorch of the old C++ ABI', () => {
    const root = writeFakeLibtorch(tempDir(), { extra: { 'lib/libc10.so': 'no such names' } });
    if (process.platform === 'linux') expect(findLibtorch({ env: { LIBTORCH: root } }).cxx11Abi).toBe(false);
  });
});

describe('errors', () => {
  test('nothing anywhere: LIBTORCH_NOT_FOUND lists every place and the command', async () => {
    const env = { ADAPTIVE_TRAINER_CACHE: path.join(tempDir(), 'cache') };
    const error = await errorOf(() => findLibtorch({ env, python: noPython }));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toBe(
      'Expected libtorch (2.11.0 ≤ version < 2.15.0) on this machine, but none can be used. Looked in this order:\n' +
        '  - ADAPTIVE_TRAINER_LIBTORCH: not set\n' +
        '  - LIBTORCH: not set\n' +
        `  - ${libtorchPackage(thisMachine())}: not installed by npm\n` +
        `  - cache (${cachedLibtorchDir(env)}): no such folder\n` +
        '  - Python: python3: has no torch; python: not installed\n' +
        'Run `npx adaptive-trainer setup`, which fetches libtorch 2.13.0 for this project.',
    );
    expect(error.details['tried']).toHaveLength(5);
  });

  test('a variable that names a wrong folder is an error, though the cache has a good one', async () => {
    const dir = tempDir();
    const env = { ADAPTIVE_TRAINER_CACHE: dir, LIBTORCH: path.join(dir, 'typo') };
    writeFakeLibtorch(cachedLibtorchDir(env), { extra: manifest() });
    const error = await errorOf(() => findLibtorch({ env, python: noPython }));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toContain(`LIBTORCH (${env.LIBTORCH}): no such folder`);
    expect(error.message).toContain('or unset it and run `npx adaptive-trainer setup`');
  });

  test('a folder without libtorch, a file, and a libtorch that lacks a part', async () => {
    const dir = tempDir();
    mkdirSync(path.join(dir, 'empty'));
    writeFileSync(path.join(dir, 'file'), '');
    writeFakeLibtorch(path.join(dir, 'part'), { omit: [`lib/${cpu}`] });
    writeFakeLibtorch(path.join(dir, 'zero'));
    truncateSync(path.join(dir, 'zero', 'lib', cpu));
    const find = (name: string): Promise<Error & { code: string }> =>
      errorOf(() => findLibtorch({ env: { LIBTORCH: path.join(dir, name) } }));
    expect(await find('empty')).toMatchObject({
      code: 'LIBTORCH_NOT_FOUND',
      message: expect.stringContaining('holds no libtorch'),
    });
    expect(await find('file')).toMatchObject({
      code: 'LIBTORCH_BROKEN',
      message: expect.stringContaining('is a file'),
    });
    expect(await find('part')).toMatchObject({
      code: 'LIBTORCH_BROKEN',
      message: expect.stringContaining(`incomplete, lacks ${path.join('lib', cpu)}`),
    });
    expect(await find('zero')).toMatchObject({
      code: 'LIBTORCH_BROKEN',
      message: expect.stringContaining('empty files'),
    });
  });

  test('a libtorch that states no version', async () => {
    const root = writeFakeLibtorch(tempDir(), { omit: ['include/torch/headeronly/version.h'] });
    const error = await errorOf(() => findLibtorch({ env: { LIBTORCH: root } }));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toContain('states no version');
  });

  test('a half-downloaded cache is recognised, by its missing manifest and by a size', async () => {
    const env = { ADAPTIVE_TRAINER_CACHE: tempDir() };
    const root = writeFakeLibtorch(cachedLibtorchDir(env));
    const half = await errorOf(() => findLibtorch({ env, python: noPython }));
    expect(half.code).toBe('LIBTORCH_BROKEN');
    expect(half.message).toContain(`cache (${root}): half-downloaded (no readable manifest.json`);

    writeFakeLibtorch(root, { extra: manifest({ [`lib/${cpu}`]: 434_184_800 }) });
    const short = await errorOf(() => findLibtorch({ env, python: noPython }));
    expect(short.message).toMatch(/damaged: lib\/.*torch_cpu\.\w+ has \d+ bytes instead of 434184800/);
  });

  test('a damaged package of npm is an error that says how npm mends it, though the cache has a good one', async () => {
    const dir = tempDir();
    const env = { ADAPTIVE_TRAINER_CACHE: path.join(dir, 'cache') };
    writeFakeLibtorch(cachedLibtorchDir(env), { extra: manifest() });
    const name = libtorchPackage(thisMachine());
    const folder = path.join(dir, 'node_modules', name);
    const extra = { ...manifest({ [`lib/${cpu}`]: 345_017_504 }), 'package.json': JSON.stringify({ name }) };
    writeFakeLibtorch(folder, { extra });
    const root = path.join(dir, 'node_modules', 'adaptive-trainer');
    const error = await errorOf(() => findLibtorch({ env, root, python: noPython }));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toContain('bytes instead of 345017504');
    expect(error.message).toContain(`delete the folder ${folder} and run \`npm install\` again`);
  });
});

describe('versions', () => {
  test('a version outside of the range: LIBTORCH_WRONG_VERSION names both, and the way round', async () => {
    const root = writeFakeLibtorch(tempDir(), { version: '2.10.1' });
    const error = await errorOf(() => findLibtorch({ env: { LIBTORCH: root } }));
    expect(error.code).toBe('LIBTORCH_WRONG_VERSION');
    expect(error.message).toContain('version 2.10.1, but 2.11.0 or later and below 2.15.0 is needed');
    expect(error.message).toContain('ADAPTIVE_TRAINER_SKIP_VERSION_CHECK=1');

    const notes: string[] = [];
    const env = { LIBTORCH: root, ADAPTIVE_TRAINER_SKIP_VERSION_CHECK: '1' };
    expect(findLibtorch({ env, onNote: (note) => notes.push(note) }).version).toBe('2.10.1');
    expect(notes.join()).toContain('as ADAPTIVE_TRAINER_SKIP_VERSION_CHECK=1 asks');
  });

  test.each([
    ['2.11.0', true],
    ['2.13.0+cpu', true],
    ['2.14.1+cu130', true],
    ['2.14.0a0+git1234', true],
    ['2.10.99', false],
    ['2.15.0', false],
    ['2.9.1', false],
    ['3.0', false],
    ['nonsense', false],
  ])('%s: %s', (version, supported) => {
    expect(supportsVersion(version)).toBe(supported);
  });

  test('the pinned version lies in the range that is accepted', () => {
    expect(supportsVersion(libtorchPin.version)).toBe(true);
  });
});

describe('Python', () => {
  test('an interpreter that is not there, and one that fails, are reported', () => {
    expect(pythonTorch(['no-such-python', process.execPath])).toEqual({
      tried: ['no-such-python: not installed', expect.stringContaining(process.execPath)],
    });
  });
});
