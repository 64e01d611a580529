import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import type { Libtorch } from '../libtorch/libtorch.js';

/** What several ranks on GPUs sum over, as far as it is there. */
export interface Nccl {
  /** The library of this package that calls NCCL. */
  readonly collectives?: string;
  /** NCCL itself. */
  readonly library?: string;
  /** `2.30.7`, where its header or its name tells. */
  readonly version?: string;
}

/** The library that calls NCCL, which lies beside the plugin. */
export function collectivesBeside(plugin: string): string {
  return path.join(path.dirname(plugin), 'adaptive_trainer_nccl.so');
}

/** NCCL is what the loader finds for libtorch_cuda: in the wheel beside torch, in its own folder, or on the system. */
export function ncclOf(plugin: string, { root, libDir }: Libtorch, env = process.env): Nccl {
  const collectives = collectivesBeside(plugin);
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const folders = [
    path.join(path.dirname(root), 'nvidia', 'nccl', 'lib'),
    libDir,
    ...(env['LD_LIBRARY_PATH'] ?? '').split(path.delimiter).filter(Boolean),
    ...[`/usr/lib/${machine}-linux-gnu`, '/usr/lib64', '/usr/local/lib', '/usr/local/cuda/lib64'],
  ];
  const library = folders.map((folder) => path.join(folder, 'libnccl.so.2')).find((file) => existsSync(file));
  const version = library === undefined ? undefined : versionOf(library);
  return {
    ...(existsSync(collectives) ? { collectives } : {}),
    ...(library === undefined ? {} : { library }),
    ...(version === undefined ? {} : { version }),
  };
}

function versionOf(library: string): string | undefined {
  const named = /\.so\.(\d+\.\d+\.\d+)$/.exec(realpathSync(library))?.[1];
  if (named !== undefined) return named;
  const header = path.join(path.dirname(library), '..', 'include', 'nccl.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`^#define NCCL_${part}\\s+(\\d+)`, 'm').exec(text)?.[1],
  );
  return numbers.includes(undefined) ? undefined : numbers.join('.');
}
