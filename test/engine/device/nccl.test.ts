import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { cudaFindings } from '../../../src/cli/doctor/cuda-findings.js';
import { packageVersion } from '../../../src/common/package-version.js';
import type { CudaFacts } from '../../../src/engine/device/cuda-faults.js';
import { ncclOf } from '../../../src/engine/device/nccl.js';
import { inspectLibtorch } from '../../../src/engine/libtorch/inspect-libtorch.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { writeFakeLibtorch } from '../libtorch/fake-libtorch.js';

/** A libtorch as its wheel lies beside that of NCCL, and a plugin. */
function subject() {
  const folder = tempDir();
  const extra = { 'lib/libtorch_cuda.so': 'x' };
  const root = writeFakeLibtorch(path.join(folder, 'torch'), { version: '2.13.0+cu130', extra });
  const found = inspectLibtorch(root, 'LIBTORCH');
  if (found.kind !== 'usable') throw new Error(found.found);
  const library = path.join(folder, 'nvidia', 'nccl', 'lib', 'libnccl.so.2');
  for (const name of ['lib', 'include'])
    mkdirSync(path.join(folder, 'nvidia', 'nccl', name), { recursive: true });
  const plugin = path.join(folder, 'adaptive_trainer_cuda.so');
  const collectives = path.join(folder, 'adaptive_trainer_nccl.so');
  return { folder, libtorch: found.libtorch, plugin, library, collectives };
}

const header = '#define NCCL_MAJOR 2\n#define NCCL_MINOR 30\n#define NCCL_PATCH 7\n';

test('NCCL: beside torch as its wheel has it, by its header; in a folder of the loader, by its name', () => {
  const { folder, libtorch, plugin, library, collectives } = subject();
  expect(ncclOf(plugin, libtorch, {}).collectives).toBeUndefined();
  writeFileSync(collectives, '');
  writeFileSync(library, '');
  expect(ncclOf(plugin, libtorch, {})).toEqual({ collectives, library });
  writeFileSync(path.join(folder, 'nvidia/nccl/include/nccl.h'), header);
  expect(ncclOf(plugin, libtorch, {})).toEqual({ collectives, library, version: '2.30.7' });
  rmSync(library);
  const own = path.join(tempDir(), 'libnccl.so.2');
  writeFileSync(`${own}.27.3`, '');
  symlinkSync(`${own}.27.3`, own);
  const found = ncclOf(plugin, libtorch, { LD_LIBRARY_PATH: path.dirname(own) });
  expect(found).toEqual({ collectives, library: own, version: '2.27.3' });
});

test('doctor has a line for it where there are GPUs, and a warning where several would do without', () => {
  const { folder, libtorch, plugin, library, collectives } = subject();
  const card = { name: 'A card', capability: '9.0', memory: 8 };
  const about = { version: packageVersion(), libtorchVersion: '2.13.0', cuda: '13.0' };
  const line = (cards: number, change: Partial<CudaFacts> = {}) =>
    cudaFindings({
      driver: { version: 13000, devices: Array.from({ length: cards }, () => card) },
      ...{ libtorch, cuda: '13.0', visibleDevices: undefined },
      search: { plugin: { file: plugin, ...about }, places: [plugin], fix: 'install it again' },
      ...change,
    }).find(({ name }) => name === 'NCCL');
  const none = line(1)!;
  expect(none).toMatchObject({ state: 'info' });
  expect(none.found).toMatch(/no adaptive_trainer_nccl\.so.*by way of the host/);
  expect(line(2)).toMatchObject({ state: 'warning', mend: 'For several GPUs: install it again.' });
  writeFileSync(collectives, '');
  writeFileSync(library, '');
  writeFileSync(path.join(folder, 'nvidia/nccl/include/nccl.h'), header);
  expect(line(2)).toEqual({ name: 'NCCL', state: 'ok', found: `2.30.7 in ${library}` });
  expect(line(0)).toBeUndefined();
  expect(line(2, { driver: undefined })).toBeUndefined();
  expect(line(2, { search: { places: [plugin], fix: '' } })).toBeUndefined();
});
