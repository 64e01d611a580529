import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/common/package-root.js';
import { packageVersion } from '../../../src/common/package-version.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { writeTinyModel } from '../../helpers/tiny-model.js';
import { compileLibrary, hasCompiler, libtorchWith, stubDriver } from './stub-library.js';

const built = path.join(packageRoot, 'build', 'Release');
const script = `
import { CausalLM } from ${JSON.stringify(path.join(packageRoot, 'src/index.ts'))};
try {
  const model = await CausalLM.fromPretrained(process.argv[2], { device: process.argv[3] });
  const { loss } = await model.lossAndGradients([[3, 4, 5, 6]]);
  console.log(JSON.stringify({ device: model.device, finite: Number.isFinite(loss) }));
} catch (error) {
  const { code, message, details } = error;
  console.log(JSON.stringify({ code, message, missing: details?.missing }));
}
`;

let folder: string, model: string;
beforeAll(() => {
  folder = tempDir();
  model = writeTinyModel(tempDir(), {});
  writeFileSync(path.join(folder, 'open.mts'), script);
});

/** Opens a model on a device, in a process of its own. */
async function open(device: string, env: NodeJS.ProcessEnv): Promise<Record<string, unknown>> {
  const args = ['--import', 'tsx', path.join(folder, 'open.mts'), model, device];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: packageRoot,
    env: { ...process.env, ADAPTIVE_TRAINER_CACHE: path.join(folder, 'cache'), ...env },
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** A folder where the loader finds a driver with one device. */
function driver(): string {
  const where = tempDir();
  stubDriver(where, { devices: [['A card', 8, 6]] });
  return where;
}

/** This machine's libtorch with a libtorch_cuda beside it, whose loading leaves a mark. */
function libtorchWithCuda(mark: string): string {
  return libtorchWith((libDir) => compileLibrary(libDir, 'libtorch_cuda.so', marks(mark, 'libtorch_cuda')));
}

const marks = (mark: string, word: string) => `
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) {
  FILE *file = fopen(${JSON.stringify(mark)}, "a");
  fputs("${word}\\n", file);
  fclose(file);
}`;

function plugin(mark: string, about: object): string {
  const where = tempDir();
  const file = compileLibrary(where, 'adaptive_trainer_cuda.so', marks(mark, 'plugin'));
  writeFileSync(path.join(where, 'adaptive_trainer_cuda.build.json'), JSON.stringify(about));
  return file;
}

describe.runIf(hasCompiler)('device', () => {
  test('a GPU that is not there: everything that is missing, and nothing is loaded', async () => {
    const where = tempDir();
    stubDriver(where, { start: 100 });
    const error = await open('cuda', { LD_LIBRARY_PATH: where, ADAPTIVE_TRAINER_CUDA_PLUGIN: '/none.so' });
    expect(error).toMatchObject({ code: 'DEVICE_NOT_AVAILABLE' });
    expect(error['missing']).toEqual(['device', 'libtorch', 'plugin']);
    expect(error['message']).toContain('Expected to compute on cuda:0');
  });

  test('libtorch_cuda is loaded first, then the plugin; what libtorch then does not see is no device', async () => {
    const mark = path.join(tempDir(), 'order');
    const libtorch = libtorchWithCuda(mark);
    const about = { version: packageVersion(), libtorchVersion: findLibtorch().version };
    const env = {
      LD_LIBRARY_PATH: driver(),
      ADAPTIVE_TRAINER_LIBTORCH: libtorch,
      ADAPTIVE_TRAINER_CUDA_PLUGIN: plugin(mark, about),
    };
    // A libtorch_cuda that registers no device.
    expect(await open('cuda:0', env)).toMatchObject({ code: 'DEVICE_NOT_AVAILABLE', missing: ['start'] });
    expect(readFileSync(mark, 'utf8')).toBe('libtorch_cuda\nplugin\n');
    expect(await open('auto', env)).toEqual({ device: 'cpu', finite: true });
    expect(await open('cuda:1', env)).toMatchObject({ missing: ['device'] });
  }, 60_000);

  test('each rank of a machine takes a GPU of its own, of those that it is shown', async () => {
    const libtorch = libtorchWithCuda(path.join(tempDir(), 'order'));
    const two = tempDir();
    stubDriver(two, {
      devices: [
        ['A card', 8, 6],
        ['A card', 8, 6],
      ],
    });
    const rank = (localRank: number, drivers: string) => ({
      ...{ LD_LIBRARY_PATH: drivers, ADAPTIVE_TRAINER_LIBTORCH: libtorch },
      ...{ RANK: String(localRank), WORLD_SIZE: '2', LOCAL_RANK: String(localRank), LOCAL_WORLD_SIZE: '2' },
      ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: '29500', ADAPTIVE_TRAINER_CUDA_PLUGIN: '/none.so' },
    });
    const deviceOf = async (wish: string, env: NodeJS.ProcessEnv) =>
      /compute on (\S+),/.exec((await open(wish, env))['message'] as string)?.[1];
    expect(await deviceOf('cuda', rank(0, two))).toBe('cuda:0');
    expect(await deviceOf('cuda', rank(1, two))).toBe('cuda:1');
    expect(await deviceOf('cuda', rank(1, driver()))).toBe('cuda:0');
    expect(await open('auto', rank(1, two))).toEqual({ device: 'cpu', finite: true });
    const one = await open('cuda:1', rank(0, two));
    expect(one).toMatchObject({ code: 'INVALID_INPUT' });
    expect(one['message']).toContain('"cuda" with 2 ranks on this machine');
  }, 60_000);

  test('libraries that do not load, and a plugin of another release', async () => {
    const mark = path.join(tempDir(), 'order');
    const libtorch = libtorchWithCuda(mark);
    const about = { version: packageVersion(), libtorchVersion: findLibtorch().version };
    const other = plugin(mark, { ...about, libtorchVersion: '2.1.0' });
    const env = { LD_LIBRARY_PATH: driver(), ADAPTIVE_TRAINER_LIBTORCH: libtorch };
    const wrong = await open('cuda', { ...env, ADAPTIVE_TRAINER_CUDA_PLUGIN: other });
    expect(wrong).toMatchObject({ missing: ['plugin-version'] });
    const damaged = plugin(mark, about);
    writeFileSync(damaged, 'no library');
    const unloadable = await open('cuda', { ...env, ADAPTIVE_TRAINER_CUDA_PLUGIN: damaged });
    expect(unloadable).toMatchObject({ missing: ['plugin'] });
    expect(unloadable['message']).toContain('cannot be loaded');
    writeFileSync(path.join(libtorch, 'lib', 'libtorch_cuda.so'), 'no library');
    const sound = { ...env, ADAPTIVE_TRAINER_CUDA_PLUGIN: plugin(mark, about) };
    expect(await open('cuda', sound)).toMatchObject({ missing: ['libtorch'] });
    expect(await open('auto', sound)).toEqual({ device: 'cpu', finite: true });
  }, 60_000);

  test('a CUDA libtorch computes on the CPU where that is asked for, and its half for CUDA stays out', async () => {
    const mark = path.join(tempDir(), 'order');
    const env = { ADAPTIVE_TRAINER_LIBTORCH: libtorchWithCuda(mark), LD_LIBRARY_PATH: driver() };
    expect(await open('cpu', env)).toEqual({ device: 'cpu', finite: true });
    expect(() => readFileSync(mark)).toThrow('ENOENT');
  });
});

describe.runIf(hasCompiler && spawnable('readelf'))('the addon', () => {
  test('needs no library of CUDA', () => {
    for (const name of readdirSync(built).filter((file) => file.endsWith('.node'))) {
      const needed = execFileSync('readelf', ['-d', path.join(built, name)], { encoding: 'utf8' });
      expect(needed).toContain('NEEDED');
      expect(needed).not.toMatch(/cuda|cudart|nvidia/i);
    }
  });

  test('is linked without it where libtorch has it', () => {
    const real = findLibtorch();
    const libtorch = libtorchWithCuda('/dev/null');
    symlinkSync(real.includeDir, path.join(libtorch, 'include'));
    const build = tempDir();
    execFileSync('cmake', [
      ...['-S', packageRoot, '-B', build, '-G', 'Unix Makefiles', '-DADAPTIVE_TRAINER_ADDON=OFF'],
      ...['-DADAPTIVE_TRAINER_TESTS=ON', `-DADAPTIVE_TRAINER_LIBTORCH=${libtorch}`],
    ]);
    const link = readFileSync(path.join(build, 'CMakeFiles/core_tests.dir/link.txt'), 'utf8');
    expect(link).toContain('libtorch_cpu.so');
    expect(link).not.toContain('torch_cuda');
  }, 60_000);
});

function spawnable(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
