import { spawnSync } from 'node:child_process';
import { cpSync, linkSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { tempDir } from '../../helpers/temp-dir.js';

/** Whether small libraries can be compiled on this machine. */
export const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;

/** Compiles a shared library of a few lines of C into a folder. */
export function compileLibrary(
  folder: string,
  name: string,
  source: string,
  flags: readonly string[] = [],
): string {
  const code = path.join(folder, `${name}.c`);
  const file = path.join(folder, name);
  writeFileSync(code, source);
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', file, code, ...flags], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return file;
}

export interface StubDriver {
  version?: number;
  /** What cuInit returns. */
  start?: number;
  /** Name and compute capability of each device. */
  devices?: readonly (readonly [string, number, number])[];
}

/** A libcuda.so.1 that answers the questions of the start as told. */
export function stubDriver(folder: string, { version = 13000, start = 0, devices = [] }: StubDriver): string {
  const list = (items: readonly (string | number)[]) => `{${[...items, 0].join(', ')}}`;
  const source = `
#include <stddef.h>
#include <string.h>
static const char *names[] = ${list(devices.map(([name]) => JSON.stringify(name)))};
static const int majors[] = ${list(devices.map(([, major]) => major))};
static const int minors[] = ${list(devices.map(([, , minor]) => minor))};
int cuInit(unsigned flags) { return flags ? 1 : ${start}; }
int cuDriverGetVersion(int *version) { *version = ${version}; return 0; }
int cuDeviceGetCount(int *count) { *count = ${devices.length}; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, names[device], size); return 0; }
int cuDeviceGetAttribute(int *value, int what, int device) {
  *value = what == 75 ? majors[device] : what == 76 ? minors[device] : -1;
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)(device + 1) << 33; return 0; }
`;
  return compileLibrary(folder, 'libcuda.so.1', source);
}

/** This machine's libtorch as one with CUDA, which `add` puts into its folder of libraries. Returns its root. */
export function libtorchWith(add: (libDir: string) => void): string {
  const real = findLibtorch();
  const root = path.join(tempDir(), 'torch');
  const libDir = path.join(root, 'lib');
  mkdirSync(libDir, { recursive: true });
  for (const name of readdirSync(real.libDir))
    linkOrCopy(path.join(real.libDir, name), path.join(libDir, name));
  writeFileSync(
    path.join(root, 'version.py'),
    `__version__ = '${real.version.split('+')[0]}'\ncuda = '13.0'\n`,
  );
  add(libDir);
  return root;
}

/** No symbolic link: a process that has loaded it would name the file that it leads to, in the folder of that one. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(realpathSync(from), to);
  } catch {
    cpSync(from, to, { recursive: true });
  }
}
