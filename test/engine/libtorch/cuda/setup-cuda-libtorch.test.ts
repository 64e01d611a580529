import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  setupCudaLibtorch,
  type CudaSetupOptions,
} from '../../../../src/engine/libtorch/cuda/setup-cuda-libtorch.js';
import { cachedCudaLibtorch } from '../../../../src/engine/libtorch/cuda/cached-cuda-libtorch.js';
import { cachedLibtorchDir } from '../../../../src/engine/libtorch/cached-libtorch-dir.js';
import { expectRoom } from '../../../../src/engine/libtorch/explain-storage.js';
import { findLibtorch } from '../../../../src/engine/libtorch/find-libtorch.js';
import { AdaptiveTrainerError } from '../../../../src/errors.js';
import { tempDir } from '../../../helpers/temp-dir.js';
import { hasCompiler } from '../../device/stub-library.js';
import { errorOf } from '../error-of.js';
import { writeFakeLibtorch } from '../fake-libtorch.js';
import { cudaWheels } from './cuda-wheels.js';

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
const version = '2.13.0';

function cacheOf(): { env: NodeJS.ProcessEnv; libtorch: string; parent: string } {
  const env = { ADAPTIVE_TRAINER_CACHE: path.join(tempDir(), 'cache') };
  const libtorch = cachedCudaLibtorch(version, env);
  return { env, libtorch, parent: path.dirname(path.dirname(libtorch)) };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

const setup = (from: string, env: NodeJS.ProcessEnv, options: CudaSetupOptions = {}) =>
  setupCudaLibtorch({ version, from, env, ...options });

describe.runIf(hasCompiler)('from a folder with wheels', () => {
  test('torch and nvidia side by side, without what serves Python; it is loaded, and found', async () => {
    const { env, libtorch, parent } = cacheOf();
    const seen: (string | undefined)[] = [];
    const found = await setup(cudaWheels(), env, { onCuda: (cuda) => seen.push(cuda) });
    expect(seen).toEqual(['13.0']);
    expect(found).toMatchObject({ root: libtorch, version: '2.13.0+cu130', source: 'cache', cuda: true });
    const files = filesBelow(path.dirname(libtorch));
    expect(files.filter((file) => file.startsWith('nvidia'))).toEqual([
      'nvidia/cu13/include/cublas.h',
      'nvidia/cu13/lib/libcublas.so.13',
      'nvidia/cu13/lib/libnvtx.so',
      'nvidia/cudnn/lib/libcudnn.so.9',
    ]);
    expect(files).toContain('torch/lib/libtorch_cuda.so');
    expect(files.filter((file) => /RECORD|modules\.py|triton|\.a$/.test(file))).toEqual([]);
    expect(readdirSync(parent)).toEqual(['2.13+cuda']);
    const manifest = JSON.parse(readFileSync(path.join(libtorch, 'manifest.json'), 'utf8'));
    expect(Object.keys(manifest.files)).toContain('../nvidia/cu13/lib/libcublas.so.13');
    expect(Object.keys(manifest.files)).toContain('lib/libtorch_cuda.so');
    // The one for the CPU comes first where there is one; CUDA's computes on the CPU too.
    expect(findLibtorch({ env })).toEqual(found);
    const plain = { version: '2.13.0+cpu', files: {} };
    writeFakeLibtorch(cachedLibtorchDir(env), { extra: { 'manifest.json': JSON.stringify(plain) } });
    expect(findLibtorch({ env }).cuda).toBe(false);
  });

  test('a second run does nothing; a library of NVIDIA that is gone brings it back', async () => {
    const { env, libtorch } = cacheOf();
    const from = cudaWheels();
    await setup(from, env);
    const messages: string[] = [];
    const onProgress: CudaSetupOptions['onProgress'] = ({ message }) => messages.push(message);
    await setup('/not/looked/at', env, { onProgress });
    expect(messages).toEqual([`libtorch 2.13.0+cu130 is in ${libtorch}; nothing to fetch.`]);
    const cublas = path.join(libtorch, '..', 'nvidia', 'cu13', 'lib', 'libcublas.so.13');
    rmSync(cublas);
    await setup(from, env);
    expect(existsSync(cublas)).toBe(true);
  });

  test('another patch of the release will do, another release will not', async () => {
    expect((await setup(cudaWheels({ torchVersion: '2.13.1' }), cacheOf().env)).version).toBe('2.13.1+cu130');
    const error = await errorOf(() => setup(cudaWheels({ torchVersion: '2.12.0' }), cacheOf().env));
    expect(error.code).toBe('LIBTORCH_WRONG_VERSION');
    expect(error.message).toContain('torch-2.12.0-');
    expect(error.message).toContain('torch==2.13.0');
  });

  test('every wheel that is missing, or there in another version, at once', async () => {
    const from = cudaWheels({ omit: ['nvidia_cudnn'], cublas: { version: '13.2.0' } });
    const { env, parent } = cacheOf();
    const error = await errorOf(() => setup(from, env));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toContain('  - nvidia-cudnn-cu13==9.24.0.43\n  - nvidia-cublas==13.1.1.3.*\n');
    expect(error.message).toContain('pip download --only-binary :all: --dest');
    expect(readdirSync(parent)).toEqual([]);
  });

  test('a library that no wheel brings: what the loader says', async () => {
    const from = cudaWheels({ cublas: { folder: 'nvidia/elsewhere/' } });
    const error = await errorOf(() => setup(from, cacheOf().env));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toMatch(/libtorch_cuda\.so to load.*libcublas\.so\.13: cannot open shared object/);
  });

  test('no folder, no torch in it, only that for the CPU', async () => {
    const { env } = cacheOf();
    const gone = await errorOf(() => setup(path.join(tempDir(), 'gone'), env));
    expect(gone).toMatchObject({ code: 'IO_FAILED', message: expect.stringContaining('ENOENT') });
    const empty = await errorOf(() => setup(tempDir(), env));
    expect(empty).toMatchObject({
      code: 'LIBTORCH_NOT_FOUND',
      message: expect.stringContaining('none of torch'),
    });
    const cpu = await errorOf(() => setup(cudaWheels({ torchVersion: '2.13.0+cpu' }), env));
    expect(cpu).toMatchObject({ code: 'LIBTORCH_NOT_FOUND', message: expect.stringContaining('2.13.0+cpu') });
  });

  test.each(['torch', 'nvidia_cublas'])('a file of %s that differs from the RECORD', async (tamper) => {
    const { env, parent } = cacheOf();
    const from = cudaWheels({ tamper });
    const before = readdirSync(from);
    const error = await errorOf(() => setup(from, env));
    expect(error.code).toBe('LIBTORCH_BROKEN');
    expect(error.message).toContain(`files of ${tamper}-`);
    expect(error.message).toContain('Download that wheel again');
    expect(readdirSync(from)).toEqual(before);
    expect(readdirSync(parent)).toEqual([]);
  });

  test('a wheel that was cut off, and one that is no zip', async () => {
    const from = cudaWheels();
    const cudnn = readdirSync(from).find((name) => name.startsWith('nvidia_cudnn'))!;
    writeFileSync(path.join(from, cudnn), '<html>');
    const error = await errorOf(() => setup(from, cacheOf().env));
    expect(error).toMatchObject({ code: 'LIBTORCH_BROKEN', message: expect.stringContaining(cudnn) });
  });

  test('what is told of the CUDA version may refuse it, before NVIDIA’s wheels are looked for', async () => {
    const from = cudaWheels({ omit: ['nvidia'] });
    const refused = new AdaptiveTrainerError('NOT_AVAILABLE', 'too new');
    const onCuda = () => {
      throw refused;
    };
    expect(await errorOf(() => setup(from, cacheOf().env, { onCuda }))).toBe(refused);
  });
});

describe.runIf(hasCompiler && hasPip)('with pip', () => {
  const online = (env: NodeJS.ProcessEnv, links: string): CudaSetupOptions => ({
    version,
    env: {
      ...process.env,
      ...env,
      ...{ PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '1', PIP_FIND_LINKS: links },
    },
  });

  test('the wheels one by one, none of what is not wanted; what is fetched is kept until all is there', async () => {
    const { env, libtorch, parent } = cacheOf();
    const links = cudaWheels();
    const kept = path.join(parent, '2.13+cuda.wheels');
    const cudnn = readdirSync(links).find((name) => name.startsWith('nvidia_cudnn'))!;
    const aside = path.join(tempDir(), cudnn);
    copyFileSync(path.join(links, cudnn), aside);
    rmSync(path.join(links, cudnn));
    const error = await errorOf(() => setupCudaLibtorch(online(env, links)));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toContain('nvidia-cudnn-cu13==9.24.0.43');
    expect(error.message).toContain('what was fetched so far is kept');
    expect(error.message).toContain('--from wheels');
    expect(readdirSync(kept).map((name) => name.split('-')[0])).toEqual(['cuda_toolkit', 'torch']);
    // Of a process that was killed.
    mkdirSync(path.join(kept, 'part-killed'));
    for (const name of readdirSync(links))
      if (/^(torch|cuda_toolkit)-/.test(name)) rmSync(path.join(links, name));
    copyFileSync(aside, path.join(links, cudnn));
    expect((await setupCudaLibtorch(online(env, links))).root).toBe(libtorch);
    expect(readdirSync(parent)).toEqual(['2.13+cuda']);
  }, 60_000);

  test('a damaged wheel is deleted, and fetched anew by the next run', async () => {
    const { env, libtorch } = cacheOf();
    const bad = cudaWheels({ tamper: 'nvidia_cublas' });
    const error = await errorOf(() => setupCudaLibtorch(online(env, bad)));
    expect(error).toMatchObject({
      code: 'LIBTORCH_BROKEN',
      message: expect.stringContaining('fetches it anew'),
    });
    expect((await setupCudaLibtorch(online(env, cudaWheels()))).root).toBe(libtorch);
  }, 60_000);

  test('an index that has only the one for the CPU', async () => {
    const links = cudaWheels({ torchVersion: '2.13.0+cpu' });
    const error = await errorOf(() => setupCudaLibtorch(online(cacheOf().env, links)));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toContain('PIP_INDEX_URL=');
  }, 60_000);
});

test('a disk with too little room is found before anything is written', () => {
  expect(() => expectRoom(path.join(tempDir(), 'not', 'there'), 1, 'it')).not.toThrow();
  const folder = tempDir();
  expect(() => expectRoom(folder, 1e18, 'libtorch')).toThrow(
    /Expected 1000000000\.0 GB of room for libtorch in .*, but [\d.]+ GB are free\. .*ADAPTIVE_TRAINER_CACHE/,
  );
  expect(readdirSync(folder)).toEqual([]);
});
