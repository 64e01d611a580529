// Builds core_tests and the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build/sanitize, and runs the core
// tests, random corruptions of a model folder, and calls of every exported function with wrong arguments.
//   node scripts/test-sanitizers.mjs [calls] [seed]      default: 3000 calls, another seed each time
//   node scripts/test-sanitizers.mjs threads             the core tests alone, with ThreadSanitizer, in build/threads: races
//                                                        between the threads of our own kernels, the only ones that we start
// Linux with GCC.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isThreads = process.argv[2] === 'threads';
const folder = path.join(root, 'build', isThreads ? 'threads' : 'sanitize');
const require = createRequire(import.meta.url);
const calls = process.argv[2] ?? '3000';
const seed = process.argv[3] ?? String(Math.floor(Math.random() * 2 ** 31));

const options = {
  // libtorch and V8 keep what they have for the life of the process; a refused allocation is an error, not an end.
  ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  // libtorch and libgomp are not instrumented: what they do with memory cannot be ordered, and is not looked at.
  TSAN_OPTIONS: 'ignore_noninstrumented_modules=1:halt_on_error=0:exitcode=66',
  OMP_WAIT_POLICY: 'PASSIVE',
};

function run(command, args, env = {}) {
  console.log(
    `> ${[path.basename(command), ...args.map((arg) => path.relative(root, arg) || arg)].join(' ')}`,
  );
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  console.error(`${command} failed (${error?.message ?? signal ?? `exit status ${status}`}).`);
  process.exit(1);
}

/** Where GCC keeps a library of its own. */
function gccLibrary(name) {
  const { stdout } = spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' });
  const file = stdout?.trim();
  if (file && path.isAbsolute(file) && existsSync(file)) return file;
  console.error(`Expected g++ with ${name}, found none. The sanitizers need Linux and GCC.`);
  process.exit(1);
}

const preloaded = gccLibrary(isThreads ? 'libtsan.so' : 'libasan.so');
const { findLibtorch } = await import('../dist/engine/libtorch/find-libtorch.js');
const libtorch = findLibtorch({ onNote: (note) => console.log(note) });
const headers = [require('node-api-headers').include_dir, require('node-addon-api').include_dir];
const ninja = spawnSync('ninja', ['--version'], { stdio: 'ignore' }).status === 0;
const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2e9)));
run('cmake', [
  '-S',
  root,
  '-B',
  folder,
  ...(ninja && !existsSync(path.join(folder, 'CMakeCache.txt')) ? ['-G', 'Ninja'] : []),
  `-DCMAKE_BUILD_TYPE=${isThreads ? 'ThreadSanitize' : 'Sanitize'}`,
  `-DADAPTIVE_TRAINER_ADDON=${isThreads ? 'OFF' : 'ON'}`,
  '-DADAPTIVE_TRAINER_TESTS=ON',
  `-DADAPTIVE_TRAINER_LIBTORCH=${libtorch.root}`,
  `-DADAPTIVE_TRAINER_CXX11_ABI=${libtorch.cxx11Abi === false ? 0 : 1}`,
  `-DCMAKE_JS_INC=${headers.map((header) => path.resolve(root, header)).join(';')}`,
]);
run('cmake', ['--build', folder, '--parallel', String(jobs)]);

run(path.join(folder, 'core_tests'), [], options);
if (isThreads) process.exit();
const inNode = {
  ...options,
  LD_PRELOAD: preloaded,
  ADAPTIVE_TRAINER_ADDON: path.join(root, 'build', 'Sanitize', 'adaptive_trainer.node'),
};
const child = (name) => ['--import', 'tsx', path.join(root, 'test', 'engine', name)];
run(process.execPath, [...child('fuzz.child.ts'), '150', seed], inNode);
run(process.execPath, [...child('hostile-calls.child.ts'), calls, seed], inNode);
