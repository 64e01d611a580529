import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Libtorch } from '../libtorch/libtorch.js';

/** The CUDA version that a libtorch was built for, for example `13.0`; undefined where its files do not tell. */
export function cudaOfLibtorch({ root, libDir, version }: Libtorch): string | undefined {
  const local = /\+cu(\d+)(\d)$/.exec(version);
  if (local) return `${local[1]}.${local[2]}`;
  const python = path.join(root, 'version.py');
  const stated = existsSync(python)
    ? /^cuda\b[^=\n]*=\s*['"](\d+\.\d+)/m.exec(readFileSync(python, 'utf8'))?.[1]
    : undefined;
  if (stated !== undefined) return stated;
  const runtime = readdirSync(libDir).flatMap((name) => /^libcudart[^.]*\.so\.(\d+)/.exec(name)?.[1] ?? []);
  return runtime[0] === undefined ? undefined : `${runtime[0]}.0`;
}
