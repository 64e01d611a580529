import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * What lets a library load where libtorch does, whatever it is linked on: the stand-ins of native/compat, and the flags by which the
 * linker takes them.
 * @param {string} root of the checkout
 * @returns {{ files: string[], flags: string[] }}
 */
export function oldGlibc(root) {
  const files = ['old_glibc.cpp', 'old_runtime.S'].map((name) => path.join(root, 'native', 'compat', name));
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const found = [...text.matchAll(/\b__wrap_(\w+)\(|^OLD\((\w+), (?:OLDEST|DLMOPEN)\)$/gm)];
  return { files, flags: found.map(([, inC, inAssembly]) => `-Wl,--wrap=${inC ?? inAssembly}`) };
}
