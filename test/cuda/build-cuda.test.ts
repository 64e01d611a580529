import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findNvcc } from '../../scripts/cuda/find-nvcc.mjs';
import { readPtxas } from '../../scripts/cuda/read-ptxas.mjs';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder with bin/nvcc. */
function toolkit(): string {
  const home = mkdtempSync(path.join(os.tmpdir(), 'toolkit-'));
  folders.push(home);
  mkdirSync(path.join(home, 'bin'));
  writeFileSync(path.join(home, 'bin', 'nvcc'), '');
  chmodSync(path.join(home, 'bin', 'nvcc'), 0o755);
  return home;
}

test('the toolkit is that of CUDA_HOME, then that of the PATH', () => {
  const [named, onPath] = [toolkit(), toolkit()];
  const PATH = ['/nowhere', path.join(onPath, 'bin')].join(path.delimiter);
  expect(findNvcc({ CUDA_HOME: named, PATH })).toBe(named);
  expect(findNvcc({ PATH })).toBe(onPath);
});

test('a CUDA_HOME without nvcc is an error, whatever the PATH has', () => {
  const PATH = path.join(toolkit(), 'bin');
  expect(() => findNvcc({ CUDA_HOME: '/nowhere', PATH })).toThrow(/CUDA_HOME: no bin\/nvcc in \/nowhere/);
});

test('no toolkit: the message says where it was looked for, and how to get one without a GPU', () => {
  let message = '';
  try {
    findNvcc({ PATH: '/nowhere', CUDA_PATH: '/nowhere' });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain('CUDA_HOME: not set');
  expect(message).toContain('CUDA_PATH: no bin/nvcc in /nowhere');
  expect(message).toContain('pip install nvidia-cuda-nvcc');
});

const report = `
ptxas info    : 49 bytes gmem
ptxas info    : Compiling entry function '_Za' for 'sm_90'
ptxas info    : Function properties for _Za
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 448 bytes smem
ptxas info    : Compile time = 22.309 ms
ptxas info    : Compiling entry function '_Zb' for 'sm_80'
ptxas info    : Function properties for _Zb
    40 bytes stack frame, 12 bytes spill stores, 24 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 400 bytes cmem[0]
`;

test("what a kernel takes is read from ptxas's report", () => {
  const signatures: Record<string, string> = {
    _Za: 'void adaptive::cuda::(anonymous namespace)::tokenStatisticsKernel<float>(float const*, int)',
    _Zb: 'adaptive::cuda::(anonymous namespace)::lionKernel(float*)',
  };
  expect(readPtxas(report, (names) => names.map((name) => signatures[name] ?? name))).toEqual([
    {
      name: 'tokenStatisticsKernel<float>',
      architecture: 'sm_90',
      registers: 32,
      sharedBytes: 448,
      stackBytes: 0,
      spilledBytes: 0,
    },
    {
      name: 'lionKernel',
      architecture: 'sm_80',
      registers: 255,
      sharedBytes: 0,
      stackBytes: 40,
      spilledBytes: 36,
    },
  ]);
});
