import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { libraryNames } from '../../../src/engine/libtorch/library-names.js';

/** The files of a libtorch small enough for tests: nothing in it can be loaded, everything can be inspected. */
export function fakeLibtorchFiles(version = '2.13.0'): Record<string, string> {
  const libraries = libraryNames().map((name) => [`lib/${name}`, `${name} __cxx11 ${version}`]);
  return {
    ...Object.fromEntries(libraries),
    'include/ATen/ATen.h': '#pragma once\n',
    // As the real header has it: on a line of its own after a continuation.
    'include/torch/headeronly/version.h': `#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \\\n  "${version}"\n`,
    'share/cmake/Torch/TorchConfig.cmake': '# nothing\n',
  };
}

/** Writes such a libtorch into a folder, without the files named in `omit`. */
export function writeFakeLibtorch(
  root: string,
  {
    version,
    omit = [],
    extra = {},
  }: { version?: string; omit?: string[]; extra?: Record<string, string> } = {},
): string {
  for (const [name, content] of Object.entries({ ...fakeLibtorchFiles(version), ...extra })) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  for (const name of omit) rmSync(path.join(root, name));
  return root;
}
