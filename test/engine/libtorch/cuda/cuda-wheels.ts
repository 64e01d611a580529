import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tempDir } from '../../../helpers/temp-dir.js';
import { compileLibrary } from '../../device/stub-library.js';
import { fakeLibtorchFiles } from '../fake-libtorch.js';
import { makeWheel, type MadeWheel } from '../make-zip.js';

/** What may be wrong with the wheels of a test. */
export interface WheelFaults {
  readonly torchVersion?: string;
  /** Default: 13.0. */
  readonly cuda?: string;
  /** Files that are left out, by the start of their names. */
  readonly omit?: readonly string[];
  /** A wheel one file of which is changed after its RECORD. */
  readonly tamper?: string;
  readonly cublas?: MadeWheel;
}

const built = new Map<string, Buffer>();

/** A library of a line; `needs`: one of NVIDIA's that it is linked to, and finds by the run path of torch's libraries. */
function library(file: string, needs?: string): Buffer {
  const key = `${file} ${needs ?? ''}`;
  let content = built.get(key);
  if (content === undefined) {
    const folder = tempDir();
    const flags = [`-Wl,-soname,${file}`];
    if (needs !== undefined) {
      flags.push(compileLibrary(folder, needs, 'int needed(void) { return 1; }', [`-Wl,-soname,${needs}`]));
      flags.push('-Wl,-rpath,$ORIGIN/../../nvidia/cu13/lib');
    }
    const source = needs === undefined ? 'return 1' : 'extern int needed(void); return needed()';
    content = readFileSync(
      compileLibrary(
        folder,
        file,
        `int ${needs === undefined ? 'needed' : 'user'}(void) { ${source}; }`,
        flags,
      ),
    );
    built.set(key, content);
  }
  return content;
}

const tags = {
  any: 'py3-none-any',
  linux: `py3-none-manylinux_2_28_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`,
};

/**
 * A folder with small wheels as torch's for CUDA are: its own, the one of names (cuda-toolkit), NVIDIA's, and some that are not
 * wanted. libtorch_cuda is a real library that needs libcublas.
 */
export function cudaWheels({
  torchVersion = '2.13.0',
  cuda = '13.0',
  omit = [],
  tamper,
  cublas,
}: WheelFaults = {}): string {
  const folder = tempDir();
  const write = (
    files: Record<string, string | Buffer>,
    wheel: MadeWheel & { name: string; version: string },
    tag = tags.linux,
  ): void => {
    const file = `${wheel.name}-${wheel.version}-${tag}.whl`;
    if (omit.some((start) => file.startsWith(start))) return;
    const isTampered = tamper !== undefined && file.startsWith(tamper);
    const content = makeWheel(files, { ...wheel, ...(isTampered ? { tamper: Object.keys(files)[0]! } : {}) });
    writeFileSync(path.join(folder, file), content);
  };
  const stated = torchVersion.includes('+') ? torchVersion : `${torchVersion}+cu${cuda.replace('.', '')}`;
  write(
    {
      ...fakeLibtorchFiles(torchVersion),
      'lib/libtorch_cuda.so': library('libtorch_cuda.so', 'libcublas.so.13'),
      'version.py': `__version__ = '${stated}'\ncuda: Optional[str] = '${cuda}'\n`,
      'nn/modules.py': 'python',
    },
    {
      name: 'torch',
      version: torchVersion,
      requires: [
        'filelock',
        'cuda-toolkit[cublas,nvtx]==13.0.3; platform_system == "Linux"',
        'nvidia-cudnn-cu13==9.24.0.43; platform_system == "Linux"',
        'nvidia-other==1; platform_system == "Windows"',
        'triton~=3.8.0; platform_system == "Linux"',
        'optree>=0.13.0; extra == "optree"',
      ],
    },
  );
  write(
    {},
    {
      name: 'cuda_toolkit',
      version: '13.0.3.0',
      requires: [
        "nvidia-cublas==13.1.1.3.*; sys_platform == 'linux' and extra == 'cublas'",
        "nvidia-npp==13.0.1.2.*; sys_platform == 'linux' and extra == 'npp'",
        "nvidia-nvtx<14,>=13.0; sys_platform == 'linux' and extra == 'nvtx'",
      ],
    },
    tags.any,
  );
  write(
    {
      'lib/libcublas.so.13': library('libcublas.so.13'),
      'lib/libcublas_static.a': 'static',
      'include/cublas.h': '//',
      '__init__.py': '',
    },
    { name: 'nvidia_cublas', version: '13.1.1.3', folder: 'nvidia/cu13/', ...cublas },
  );
  write({ 'lib/libnvtx.so': 'x' }, { name: 'nvidia_nvtx', version: '13.0.85', folder: 'nvidia/cu13/' });
  write(
    { 'lib/libcudnn.so.9': 'cudnn' },
    { name: 'nvidia_cudnn_cu13', version: '9.24.0.43', folder: 'nvidia/cudnn/', requires: ['nvidia-cublas'] },
  );
  write({ 'x.py': '' }, { name: 'triton', version: '3.8.0', folder: 'triton/' });
  return folder;
}
