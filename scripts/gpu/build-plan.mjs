import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { headersOf, operatorNamespace, staticRuntime } from '../cuda/libtorch-headers.mjs';

/**
 * What there is to build with.
 * @typedef {{ root: string, folder: string, cuda: string, architecture: string, libtorch?: string, launcher: string[] }} Means
 * A program: what is compiled before all else, what is compiled then in any order, and what links it.
 * @typedef {{ program: string, first: string[][], compile: string[][], link: string[] }} Program
 */

/** Files below a folder of the checkout. @param {string} root @param {string} where @param {string} end @param {boolean} deep */
function filesOf(root, where, end, deep = false) {
  return readdirSync(path.join(root, where), { recursive: deep, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => path.join(where, name))
    .sort();
}

/** The object of a source. @param {Means} means @param {string} kind @param {string} file */
function objectOf({ folder }, kind, file) {
  return path.join(folder, `${kind}-${file.replaceAll(/[/\\]/g, '-')}.o`);
}

/** @param {Means} means @param {string} architecture */
function nvccFlags({ cuda }, architecture) {
  return [
    ...['-std=c++20', '-O2', '-arch', architecture, '-Xcompiler', '-fPIC'],
    ...['-I', 'native', '-I', path.join(cuda, 'include'), '-I', path.join(cuda, 'include', 'cccl')],
  ];
}

/** @param {Means} means @returns {string[][]} */
function kernelCommands(means) {
  const { root, cuda, architecture, launcher } = means;
  return filesOf(root, 'native/cuda', '.cu').map((file) => [
    ...launcher,
    path.join(cuda, 'bin', 'nvcc'),
    ...nvccFlags(means, architecture),
    ...['-c', file, '-o', objectOf(means, 'kernel', file)],
  ]);
}

/** The tests of the kernels alone: a toolkit is all that they take. @param {Means} means @returns {Program} */
export function kernelTests(means) {
  const { root, cuda, architecture, folder, launcher } = means;
  const nvcc = path.join(cuda, 'bin', 'nvcc');
  const sources = [...filesOf(root, 'test/cuda', '.cpp'), 'native/core/optim/dynamic_code.cpp'];
  const program = path.join(folder, 'cuda_tests');
  return {
    program,
    first: [],
    compile: [
      ...kernelCommands(means),
      ...sources.map((file) => [
        ...launcher,
        nvcc,
        ...nvccFlags(means, architecture),
        ...['-I', 'test/cuda', '-c', file, '-o', objectOf(means, 'test', file)],
      ]),
    ],
    link: [
      ...[nvcc, '-arch', architecture],
      ...filesOf(root, 'native/cuda', '.cu').map((file) => objectOf(means, 'kernel', file)),
      ...sources.map((file) => objectOf(means, 'test', file)),
      ...['-o', program, '-L', path.join(cuda, 'lib'), '-L', path.join(cuda, 'lib64')],
    ],
  };
}

/** Of core, what every machine runs: the instruction set that all have, and no ranks. @param {string} root */
function coreSources(root) {
  return filesOf(root, 'native/core', '.cpp', true).filter(
    (file) => !/gloo_group|ops[/\\]cpu[/\\]isa/.test(file),
  );
}

/** What compiles and links against libtorch. @param {Means & { libtorch: string }} means */
function engine(means) {
  const { root, cuda, libtorch, folder, launcher } = means;
  const flags = [
    ...['-std=c++20', '-O2', '-fPIC', '-fopenmp', '-fno-math-errno', '-fpch-preprocess', '-w'],
    ...[
      '-I',
      'native',
      '-I',
      'test/core',
      ...headersOf(libtorch, cuda).flatMap((header) => ['-isystem', header]),
    ],
  ];
  const header = path.join(folder, 'core.h');
  const defined = {
    'native/core/ops/library.cpp': [`-DADAPTIVE_OPS=${operatorNamespace(root)}`],
  };
  /** @param {string} file @param {string[]} more */
  const compile = (file, more = []) => [
    ...[
      ...launcher,
      'g++',
      ...flags,
      ...more,
      .../** @type {Record<string, string[]>} */ (defined[file] ?? []),
    ],
    ...['-include', header, '-c', file, '-o', objectOf(means, 'engine', file)],
  ];
  const sources = [...coreSources(root), ...filesOf(root, 'native/cuda', '.cpp')];
  const instructions = filesOf(root, 'native/core/ops/cpu/isa', '.cpp');
  const lib = path.join(libtorch, 'lib');
  const runtime = staticRuntime(cuda) ?? path.join(cuda, 'lib64', 'libcudart_static.a');
  const openmp = existsSync(lib) ? readdirSync(lib).filter((name) => /^libgomp.*\.so/.test(name)) : [];
  /** @param {string} program @param {string[]} own */
  const link = (program, own) => [
    ...[
      'g++',
      '-o',
      program,
      ...[...own, ...sources, ...instructions].map((file) => objectOf(means, 'engine', file)),
    ],
    ...filesOf(root, 'native/cuda', '.cu').map((file) => objectOf(means, 'kernel', file)),
    ...[
      runtime,
      '-L',
      lib,
      `-Wl,-rpath,${lib}`,
      '-Wl,--no-as-needed',
      '-ltorch',
      '-ltorch_cpu',
      '-ltorch_cuda',
    ],
    ...['-lc10', '-lc10_cuda', ...openmp.map((name) => path.join(lib, name))],
    ...['-lrt', '-ldl', '-lpthread', '-Wl,--allow-shlib-undefined'],
  ];
  return {
    compile,
    link,
    first: [[...launcher, 'g++', ...flags, '-x', 'c++-header', 'native/core/pch.h', '-o', `${header}.gch`]],
    all: [
      ...kernelCommands(means),
      ...sources.map((file) => compile(file)),
      ...instructions.map((file) => compile(file, ['-DCPU_CAPABILITY=DEFAULT', '-DCPU_CAPABILITY_DEFAULT'])),
    ],
  };
}

/**
 * The tests of a device, and the benchmark, which share the engine.
 * @param {Means & { libtorch: string }} means
 * @returns {{ deviceTests: Program, bench: Program }}
 */
export function enginePrograms(means) {
  const { compile, link, first, all } = engine(means);
  const { root, folder } = means;
  const tests = filesOf(root, 'test/core/device', '.cpp').filter((file) => !/guarded_/.test(file));
  tests.push('test/core/check.cpp', 'test/core/whole_loss.cpp');
  const bench = ['bench/gpu/gpu_bench.cpp'];
  /** @param {string} name @param {string[]} own @param {string[][]} before @returns {Program} */
  const program = (name, own, before) => ({
    program: path.join(folder, name),
    first,
    compile: [...before, ...own.map((file) => compile(file))],
    link: link(path.join(folder, name), own),
  });
  return { deviceTests: program('device_tests', tests, all), bench: program('gpu_bench', bench, []) };
}
