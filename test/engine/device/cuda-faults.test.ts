import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/common/package-root.js';
import { packageVersion } from '../../../src/common/package-version.js';
import type { CudaDriver } from '../../../src/engine/device/cuda-driver.js';
import { cudaFaults, neededCuda, type CudaFacts } from '../../../src/engine/device/cuda-faults.js';
import { cudaOfLibtorch } from '../../../src/engine/device/cuda-of-libtorch.js';
import { findCudaPlugin, type CudaPlugin } from '../../../src/engine/device/cuda-plugin.js';
import { inspectLibtorch } from '../../../src/engine/libtorch/inspect-libtorch.js';
import { helperOf } from '../../../src/engine/load/dlopen.js';
import { writeFakeLibtorch } from '../libtorch/fake-libtorch.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { compileLibrary, hasCompiler, stubDriver, type StubDriver } from './stub-library.js';

const helper = helperOf(path.join(packageRoot, 'build', 'Release', 'adaptive_trainer.node'));

/** What a process that finds this folder first is told of the driver. */
function driverIn(folder: string): CudaDriver | undefined {
  const script = `process.dlopen(module, ${JSON.stringify(helper)}); console.log(JSON.stringify(module.exports.cudaDriver() ?? null))`;
  const out = execFileSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: folder },
  });
  return (JSON.parse(out) ?? undefined) as CudaDriver | undefined;
}
function driverOf(stub: StubDriver): CudaDriver | undefined {
  const folder = tempDir();
  stubDriver(folder, stub);
  return driverIn(folder);
}

function libtorchOf(version: string, extra: Record<string, string> = {}) {
  const root = writeFakeLibtorch(path.join(tempDir(), 'torch'), { version, extra });
  const found = inspectLibtorch(root, 'LIBTORCH');
  if (found.kind !== 'usable') throw new Error(found.found);
  return found.libtorch;
}
const withCuda = { 'lib/libtorch_cuda.so': 'x' };
const good = libtorchOf('2.13.0+cu130', withCuda);
const card = { name: 'A card', capability: '9.0', memory: 8 };

const ours = { file: '/p.so', version: packageVersion(), libtorchVersion: '2.13.1', cuda: '13.0' };
function searchFor(plugin: CudaPlugin | undefined) {
  const search = { places: ['/p.so'], fix: 'what finds it says' };
  return plugin === undefined ? search : { ...search, plugin };
}

function facts(change: Partial<CudaFacts>): CudaFacts {
  const libtorch = change.libtorch ?? good;
  return {
    driver: { version: 13000, devices: [card] },
    libtorch,
    cuda: libtorch.cuda ? cudaOfLibtorch(libtorch) : undefined,
    search: searchFor(ours),
    visibleDevices: undefined,
    ...change,
  };
}
const missing = (change: Partial<CudaFacts>, index = 0) =>
  cudaFaults(index, facts(change)).map((fault) => fault.missing);

describe.runIf(hasCompiler)('what NVIDIA’s driver says', () => {
  test('its version and devices', () => {
    const devices = [['NVIDIA H100', 9, 0] as const, ['Tesla V100', 7, 0] as const];
    const driver = driverOf({ version: 12080, devices });
    expect(driver).toEqual({
      version: 12080,
      devices: [
        { name: 'NVIDIA H100', capability: '9.0', memory: 2 ** 33 },
        { name: 'Tesla V100', capability: '7.0', memory: 2 ** 34 },
      ],
    });
    expect(missing({ driver })).toEqual(['driver-version']);
    expect(missing({ driver: { ...driver, version: 13010 } }, 1)).toEqual(['capability']);
    expect(missing({ driver: { ...driver, version: 13010 } }, 2)).toEqual(['device']);
  });

  test('that there is no device (CUDA_ERROR_NO_DEVICE is no failure)', () => {
    const driver = driverOf({ start: 100 });
    expect(driver).toEqual({ version: 13000, devices: [] });
    expect(missing({ driver })).toEqual(['device']);
  });

  test('that it does not start', () => {
    const driver = driverOf({ start: 803 });
    expect(driver).toEqual({ version: 13000, failure: 803, devices: [] });
    const [fault] = cudaFaults(0, facts({ driver }));
    expect(fault!.missing).toBe('driver');
    expect(fault!.found).toContain('error 803: ');
    expect(fault!.found).toContain('restart the machine');
  });

  test('a file that is no library, and one of something else', () => {
    const folder = tempDir();
    writeFileSync(path.join(folder, 'libcuda.so.1'), 'not a library');
    const damaged = driverIn(folder);
    // The loader goes on to the next folder, and finds a driver only where there is one.
    if (damaged?.version === undefined) expect(damaged?.fault).toContain('libcuda.so.1');
    const other = tempDir();
    compileLibrary(other, 'libcuda.so.1', 'int nothing;');
    expect(driverIn(other)).toEqual({ fault: 'it lacks functions that every driver has' });
    expect(missing({ driver: driverIn(other) })).toEqual(['driver']);
  });

  test('a driver whose own parts are missing is no absent driver', () => {
    const folder = tempDir();
    const part = compileLibrary(folder, 'libpart.so', 'int part;');
    const code = path.join(folder, 'driver.c');
    writeFileSync(code, 'extern int part; int cuInit(unsigned f) { return part + f; }');
    execFileSync('cc', ['-shared', '-fPIC', '-o', path.join(folder, 'libcuda.so.1'), code, part]);
    execFileSync('rm', [part]);
    expect(driverIn(folder)?.fault).toContain('libpart.so');
  });
});

describe('what a GPU lacks', () => {
  test('nothing', () => {
    expect(cudaFaults(0, facts({}))).toEqual([]);
  });

  test('each part by itself, with what helps', () => {
    const old = { file: '/p.so', version: '0.0.1', libtorchVersion: '2.12.0' };
    const cases: [Partial<CudaFacts>, string, RegExp][] = [
      [{ driver: undefined }, 'driver', /no NVIDIA driver.*install the driver/],
      [{ driver: { fault: 'odd' } }, 'driver', /\(odd\).*install the driver again/],
      [
        { driver: { version: 12080, devices: [card] } },
        'driver-version',
        /serves CUDA 12\.8, and CUDA 13\.0 is what .*update the driver to 580\.65 or later.*cuda-compat-13-0/,
      ],
      [{ driver: { version: 13000, devices: [] } }, 'device', /no device.*nvidia-smi/],
      [
        { driver: { version: 13000, devices: [] }, visibleDevices: '-1' },
        'device',
        /CUDA_VISIBLE_DEVICES is "-1".*unset/,
      ],
      [
        { libtorch: libtorchOf('2.13.0+cpu') },
        'libtorch',
        /for the CPU alone.*unset LIBTORCH and run `npx adaptive-trainer setup --cuda`/,
      ],
      [{ search: searchFor(undefined) }, 'plugin', /not there \(no \/p\.so\) what finds it says/],
      [
        { search: searchFor(old) },
        'plugin-version',
        /adaptive-trainer 0\.0\.1 and libtorch 2\.12\.0.* what finds it says/,
      ],
      [{ search: searchFor({ file: '/p.so' }) }, 'plugin-version', /of an unknown version/],
      [
        { libtorch: libtorchOf('2.13.0+cu126', withCuda) },
        'plugin-version',
        /was built for CUDA 12\.6, and the kernels for CUDA 13\.0 .*setup --cuda --force.*torch is for CUDA 13.*whl\/cu130/,
      ],
    ];
    for (const [change, part, words] of cases) {
      const faults = cudaFaults(0, facts(change));
      expect(faults.map((fault) => fault.missing)).toEqual([part]);
      expect(`${faults[0]!.found} ${faults[0]!.fix}`).toMatch(words);
    }
  });

  test('all of it at once', () => {
    const change = {
      driver: undefined,
      search: searchFor(undefined),
      libtorch: libtorchOf('2.13.0+cpu'),
    };
    expect(missing(change)).toEqual(['driver', 'libtorch', 'plugin']);
  });

  test('a driver that is newer, or of an earlier minor version, serves', () => {
    const driver = { version: 13000, devices: [card] };
    expect(missing({ driver, cuda: '13.2' })).toEqual([]);
    expect(missing({ driver: { ...driver, version: 14010 } })).toEqual([]);
    expect(missing({ driver, cuda: undefined })).toEqual([]);
  });

  test('the driver must serve the kernels as well as libtorch, also before there is either', () => {
    const driver = { version: 12090, devices: [card] };
    const cpu = libtorchOf('2.13.0+cpu');
    expect(missing({ driver, libtorch: cpu })).toEqual(['driver-version', 'libtorch']);
    expect(missing({ driver, libtorch: cpu, search: searchFor(undefined) })).toEqual([
      'driver-version',
      'libtorch',
      'plugin',
    ]);
    // What packages bring is compiled with the toolkit that pip brings.
    const ofPackages = neededCuda({ cuda: undefined, search: searchFor(undefined) });
    const requirements = readFileSync(path.join(packageRoot, 'scripts/cuda/requirements.txt'), 'utf8');
    expect(requirements).toContain(`nvidia-cuda-nvcc>=${ofPackages},`);
    // Kernels that somebody has compiled with another toolkit, for a libtorch of its release.
    const own = { search: searchFor({ ...ours, cuda: '12.8' }) };
    expect(missing({ ...own, driver, libtorch: libtorchOf('2.13.0+cu126', withCuda) })).toEqual([]);
    expect(missing({ ...own, driver, libtorch: good })).toEqual(['driver-version', 'plugin-version']);
  });
});

test('the CUDA version of a libtorch: by its version, by version.py, by its runtime', () => {
  expect(cudaOfLibtorch(good)).toBe('13.0');
  expect(cudaOfLibtorch(libtorchOf('2.13.0+cu128', withCuda))).toBe('12.8');
  const stated = { ...withCuda, 'version.py': "__version__ = '2.13.0'\ncuda: Optional[str] = '12.6'\n" };
  expect(cudaOfLibtorch(libtorchOf('2.13.0', stated))).toBe('12.6');
  const none = { ...withCuda, 'version.py': "__version__ = '2.13.0'\ncuda: Optional[str] = None\n" };
  expect(cudaOfLibtorch(libtorchOf('2.13.0', none))).toBeUndefined();
  const runtime = { ...withCuda, 'lib/libcudart-ab12.so.12': 'x' };
  expect(cudaOfLibtorch(libtorchOf('2.13.0', runtime))).toBe('12.0');
});

describe('the plugin', () => {
  const name = 'adaptive_trainer_cuda.so';
  const linux = { platform: 'linux', arch: 'x64', libc: 'glibc' } as const;

  /** A place for an addon, and a project where npm has installed this package and that of its binaries. */
  function installed() {
    const folder = tempDir();
    const root = path.join(folder, 'node_modules', 'adaptive-trainer');
    const binaries = path.join(folder, 'node_modules', '@adaptive-trainer', 'linux-x64');
    const addon = path.join(folder, 'addon', 'adaptive_trainer.node');
    const prebuilt = path.join(binaries, 'prebuilds', 'linux-x64-glibc-libtorch2.13');
    for (const made of [root, prebuilt, path.dirname(addon)]) mkdirSync(made, { recursive: true });
    for (const made of [root, binaries]) writeFileSync(path.join(made, 'package.json'), '{}');
    return { root, binaries, addon, prebuilt };
  }

  test('named, beside the addon, in the checkout, in the package; what it was built for', () => {
    const { root, addon, prebuilt } = installed();
    const find = (env: NodeJS.ProcessEnv = {}) => findCudaPlugin(addon, env, { root, machine: linux });
    const beside = path.join(path.dirname(addon), name);
    expect(find().places).toEqual([beside, path.join(prebuilt, name)]);
    expect(find().plugin).toBeUndefined();
    writeFileSync(path.join(prebuilt, name), 'x');
    const about = { version: '1.2.3', libtorchVersion: '2.13.0', cuda: '13.0' };
    writeFileSync(path.join(prebuilt, 'adaptive_trainer_cuda.build.json'), JSON.stringify(about));
    expect(find().plugin).toEqual({ file: path.join(prebuilt, name), ...about });
    writeFileSync(beside, 'x');
    expect(find().plugin).toEqual({ file: beside });
    const named = find({ ADAPTIVE_TRAINER_CUDA_PLUGIN: '/x/y.so' });
    expect(named).toEqual({
      places: ['/x/y.so'],
      fix: expect.stringMatching(/ADAPTIVE_TRAINER_CUDA_PLUGIN.*unset/),
    });
    mkdirSync(path.join(root, 'src'));
    expect(find().places[1]).toBe(path.join(root, 'build', 'cuda', name));
  });

  test('where it is missing, what helps depends on what npm has', () => {
    const { root, binaries, addon } = installed();
    const fix = (change: object = {}) => findCudaPlugin(addon, {}, { root, machine: linux, ...change }).fix;
    expect(fix()).toBe(`delete the folder ${binaries} and run \`npm install\` again`);
    expect(fix({ root: tempDir() })).toBe('run `npm install --include=optional`');
    expect(fix({ machine: { ...linux, arch: 'arm64' } })).toMatch(
      /linux-x64 and libtorch 2\.13 alone.*docs\/cuda\.md/,
    );
    const build = path.join(path.dirname(addon), 'adaptive_trainer.build.json');
    writeFileSync(build, JSON.stringify({ libtorchVersion: '2.14.1' }));
    expect(fix()).toContain('libtorch 2.13 alone');
    expect(findCudaPlugin(addon, {}, { root, machine: linux }).places[1]).toContain('libtorch2.14');
    mkdirSync(path.join(root, 'src'));
    expect(fix()).toContain('npm run build:cuda');
  });
});
