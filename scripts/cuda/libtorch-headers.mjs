import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/**
 * The folders of headers that sources for a libtorch with CUDA include.
 * @param {string} libtorch @param {string} cuda the toolkit
 */
export function headersOf(libtorch, cuda) {
  const packages = path.join(path.dirname(libtorch), 'nvidia');
  const headers = existsSync(packages)
    ? readdirSync(packages).map((name) => path.join(packages, name, 'include'))
    : [];
  return [
    ...[path.join(libtorch, 'include'), path.join(libtorch, 'include/torch/csrc/api/include')],
    ...[
      path.join(cuda, 'include'),
      path.join(cuda, 'include', 'cccl'),
      ...headers.filter((header) => existsSync(header)),
    ],
  ];
}

/** @param {string} root of the checkout @returns {string} */
export function packageVersion(root) {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;
}

/** The namespace of the operators, as CMakeLists.txt names it. @param {string} root of the checkout */
export function operatorNamespace(root) {
  return `adaptive_trainer_${packageVersion(root)}`.replaceAll(/\W/g, '_');
}

/** The static runtime of a toolkit. @param {string} cuda @returns {string | undefined} */
export function staticRuntime(cuda) {
  return ['lib64', 'lib', 'targets/x86_64-linux/lib']
    .map((lib) => path.join(cuda, lib, 'libcudart_static.a'))
    .find((file) => existsSync(file));
}

/** The version of a toolkit: `13.0`. @param {string} cuda @returns {string | undefined} */
export function cudaVersion(cuda) {
  const header = readFileSync(path.join(cuda, 'include', 'cuda_runtime_api.h'), 'utf8');
  const version = Number(/^#define CUDART_VERSION\s+(\d+)/m.exec(header)?.[1]);
  return Number.isNaN(version)
    ? undefined
    : `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}
