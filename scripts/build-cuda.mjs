// Compiles the kernels of native/cuda with nvcc for every architecture, prints what each takes, and fails where one
// spills registers. Where a CUDA libtorch is given (ADAPTIVE_TRAINER_LIBTORCH), links the plugin build/cuda/adaptive_trainer_cuda.so
// and, over NCCL, build/cuda/adaptive_trainer_nccl.so as well, and tries them. Needs no GPU.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findNvcc } from './cuda/find-nvcc.mjs';
import { readPtxas } from './cuda/read-ptxas.mjs';
import {
  cudaVersion,
  headersOf,
  operatorNamespace,
  packageVersion,
  staticRuntime,
} from './cuda/libtorch-headers.mjs';
import { oldGlibc } from './cuda/old-glibc.mjs';
import { tooNew } from './packages/elf-versions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = path.join(root, 'native', 'cuda');
const folder = path.join(root, 'build', 'cuda');
const plugin = path.join(folder, 'adaptive_trainer_cuda.so');
const collectives = path.join(folder, 'adaptive_trainer_nccl.so');
const architectures = ['80', '89', '90', '100'];
const runFile = promisify(execFile);

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}

function toolkit() {
  try {
    return findNvcc();
  } catch (error) {
    return fail(/** @type {Error} */ (error).message);
  }
}
const cuda = toolkit();

/** @param {string} command @param {string[]} args @returns {Promise<string>} both outputs */
async function run(command, args) {
  try {
    const { stdout, stderr } = await runFile(command, args, { cwd: root, maxBuffer: 1 << 28 });
    return stdout + stderr;
  } catch (error) {
    const { stderr, stdout, message } = /** @type {Error & { stderr?: string, stdout?: string }} */ (error);
    return fail(`${path.basename(command)} failed: ${stdout ?? ''}${stderr || message}`);
  }
}

/** f of every item, as many at a time as there are cores. @template T, R @param {T[]} items @param {(item: T) => Promise<R>} f */
async function each(items, f) {
  const left = items.entries();
  /** @type {R[]} */
  const results = [];
  const work = async () => {
    for (const [i, item] of left) results[i] = await f(item);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
  return results;
}

/** @param {string[]} names */
function demangle(names) {
  const { stdout, status } = spawnSync('c++filt', { input: names.join('\n'), encoding: 'utf8' });
  return status === 0 ? stdout.trimEnd().split('\n') : names;
}

/** @param {string} file */
function objectOf(file) {
  return path.join(folder, `${path.basename(file)}.o`);
}

async function compileKernels() {
  const files = readdirSync(sources).filter((name) => name.endsWith('.cu'));
  const codes = architectures.flatMap((a) => ['-gencode', `arch=compute_${a},code=sm_${a}`]);
  const newest = architectures.at(-1);
  // PTX of the newest, for the cards that come after it.
  codes.push('-gencode', `arch=compute_${newest},code=compute_${newest}`);
  const outputs = await each(files, (file) =>
    run(path.join(cuda, 'bin', 'nvcc'), [
      ...[
        '-std=c++20',
        '-O3',
        '-Xptxas',
        '-v',
        '-Xcompiler',
        '-fPIC,-fvisibility=hidden',
        '-I',
        path.join(root, 'native'),
      ],
      ...['-I', path.join(cuda, 'include'), '-I', path.join(cuda, 'include', 'cccl'), ...codes],
      ...['-c', path.join(sources, file), '-o', objectOf(file)],
    ]),
  );
  const kernels = readPtxas(outputs.join('\n'), demangle);
  console.log('registers  shared bytes  stack bytes  spilled bytes  architecture  kernel');
  for (const { registers, sharedBytes, stackBytes, spilledBytes, architecture, name } of kernels) {
    const numbers = [
      [registers, 9],
      [sharedBytes, 12],
      [stackBytes, 11],
      [spilledBytes, 13],
    ];
    const columns = numbers.map(([value, width]) => String(value).padStart(width ?? 0));
    console.log(`${columns.join('  ')}  ${architecture.padEnd(12)}  ${name}`);
  }
  if (kernels.length === 0) fail('Expected ptxas to report on the kernels, but it said nothing.');
  const spilling = kernels.filter(({ spilledBytes }) => spilledBytes > 0);
  if (spilling.length > 0) {
    const list = spilling.map(({ name, architecture }) => `${name} on ${architecture}`).join(', ');
    fail(`Expected no kernel to spill registers, but these do: ${list}.`);
  }
  console.log(
    `${kernels.length} kernels compiled (${files.length} files, ${architectures.length} architectures): none spills.`,
  );
  return files.map(objectOf);
}

/** @param {string} libtorch */
function versionOf(libtorch) {
  const header = readFileSync(path.join(libtorch, 'include/torch/headeronly/version.h'), 'utf8');
  return (
    /#define TORCH_VERSION\s*\\?\s*"([^"]+)"/.exec(header)?.[1] ??
    fail(`Expected TORCH_VERSION in the headers of ${libtorch}.`)
  );
}

/**
 * Compiles C++ and links it with other objects to a library that is loaded after libtorch_cuda.
 * @param {string} libtorch @param {string} library @param {string[]} files @param {string[]} objects
 */
async function linkLibrary(libtorch, library, files, objects) {
  const standIns = oldGlibc(root);
  const flags = [
    ...['-std=c++20', '-O2', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra'],
    // Checks in libtorch's headers name their file; the library is to be the same wherever libtorch and the checkout lay.
    ...[`-ffile-prefix-map=${path.dirname(libtorch)}=`, `-ffile-prefix-map=${root}=`],
    ...[`-DADAPTIVE_OPS=${operatorNamespace(root)}`, '-I', path.join(root, 'native')],
    ...headersOf(libtorch, cuda).flatMap((header) => ['-isystem', header]),
  ];
  const sources = [...files, ...standIns.files];
  await each(sources, (file) => run('g++', [...flags, '-c', file, '-o', objectOf(file)]));
  const runtime = staticRuntime(cuda) ?? fail(`Expected libcudart_static.a in ${cuda}.`);
  await run('g++', [
    ...['-shared', '-o', library, ...sources.map(objectOf), ...objects, runtime],
    ...['-L', path.join(libtorch, 'lib')],
    ...['-Wl,--no-as-needed', '-lc10_cuda', '-ltorch_cpu', '-lc10', '-Wl,--as-needed'],
    ...['-lrt', '-ldl', '-lpthread', '-Wl,--exclude-libs,ALL', '-Wl,--allow-shlib-undefined'],
    ...standIns.flags,
  ]);
  console.log(`Linked ${path.relative(root, library)} against the libtorch in ${libtorch}.`);
  const symbols = tooNew(library);
  if (symbols.length > 0)
    console.log(`It loads on this machine and newer ones alone, as it needs ${symbols.join(', ')}.`);
}

/** @param {string} libtorch @param {string[]} kernels */
async function linkPlugin(libtorch, kernels) {
  const files = [
    ...readdirSync(sources)
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => path.join(sources, name)),
    path.join(root, 'native', 'core', 'ops', 'library.cpp'),
  ];
  await linkLibrary(libtorch, plugin, files, kernels);
  const description = {
    ...{ version: packageVersion(root), libtorchVersion: versionOf(libtorch) },
    cuda: cudaVersion(cuda) ?? fail(`Expected CUDART_VERSION in the headers of ${cuda}.`),
  };
  writeFileSync(path.join(folder, 'adaptive_trainer_cuda.build.json'), `${JSON.stringify(description)}\n`);
}

/** What several ranks on GPUs sum over. @param {string} libtorch */
async function linkCollectives(libtorch) {
  const headers = headersOf(libtorch, cuda);
  const header = headers.map((one) => path.join(one, 'nccl.h')).find((file) => existsSync(file));
  const nccl = [
    ...headers.map((one) => path.join(path.dirname(one), 'lib', 'libnccl.so.2')),
    ...['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/libnccl.so.2`),
  ].find((file) => existsSync(file));
  if (header === undefined || nccl === undefined) {
    console.log(
      `${path.basename(collectives)} was not linked, and several ranks on GPUs sum by way of the host: there is no ${header === undefined ? 'nccl.h' : 'libnccl.so.2'} ` +
        'beside libtorch (pip install nvidia-nccl-cu13).',
    );
    return;
  }
  await linkLibrary(
    libtorch,
    collectives,
    [path.join(root, 'native', 'nccl', 'nccl_collectives.cpp')],
    [nccl],
  );
  process.stdout.write(
    await runCheck(libtorch, 'check_collectives', ['test/cuda/plugin/check_collectives.cpp'], collectives),
  );
}

/**
 * Builds a program and runs it with libtorch_cuda and a library of ours, in a process of its own.
 * @param {string} libtorch @param {string} name @param {string[]} files @param {string} library
 */
async function runCheck(libtorch, name, files, library) {
  const program = path.join(folder, name);
  const lib = path.join(libtorch, 'lib');
  await run('g++', [
    ...['-std=c++20', `-DADAPTIVE_OPS=${operatorNamespace(root)}`, '-I', 'native', ...files, '-o', program],
    ...headersOf(libtorch, cuda).flatMap((header) => ['-isystem', header]),
    ...['-L', lib, `-Wl,-rpath,${lib}`, '-ltorch_cpu', '-lc10', '-ldl', '-Wl,--allow-shlib-undefined'],
  ]);
  return run(program, [path.join(lib, 'libtorch_cuda.so'), library]);
}

/** Whether each operator of core has a kernel. @param {string} libtorch */
async function checkRegistration(libtorch) {
  const operators = ['schema', 'library', 'ops', 'any_device'].map((name) => `native/core/ops/${name}.cpp`);
  const files = ['test/cuda/plugin/check_registration.cpp', ...operators];
  process.stdout.write(await runCheck(libtorch, 'check_registration', files, plugin));
}

mkdirSync(folder, { recursive: true });
const kernels = await compileKernels();
const libtorch = process.env['ADAPTIVE_TRAINER_LIBTORCH'];
if (libtorch !== undefined && existsSync(path.join(libtorch, 'lib', 'libtorch_cuda.so'))) {
  await linkPlugin(path.resolve(libtorch), kernels);
  await checkRegistration(path.resolve(libtorch));
  await linkCollectives(path.resolve(libtorch));
} else {
  console.log(
    'The plugin was not linked: set ADAPTIVE_TRAINER_LIBTORCH to a libtorch with CUDA (a site-packages/torch that holds lib/libtorch_cuda.so).',
  );
}
