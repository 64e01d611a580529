import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { oldGlibc } from '../../scripts/cuda/old-glibc.mjs';
import { neededVersions, tooNew } from '../../scripts/packages/elf-versions.mjs';
import { pluginFault, stagePlugin } from '../../scripts/packages/stage-plugin.mjs';
import { packageRoot } from '../../src/common/package-root.js';
import { compileLibrary, hasCompiler } from '../engine/device/stub-library.js';
import { tempDir } from '../helpers/temp-dir.js';

/** As the CUDA runtime does: threads, locks, semaphores, shared memory and libraries by name; ends the process where one is wrong. */
const user = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
static sem_t done;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int made;
static void make(void) { made += pthread_key_create(&key, 0) == 0; }
static void *work(void *argument) {
  pthread_once(&once, make);
  if (pthread_setspecific(key, argument) || pthread_getspecific(key) != argument) abort();
  sem_post(&done);
  return argument;
}
__attribute__((constructor)) static void loaded(void) {
  pthread_t thread;
  pthread_rwlock_t lock;
  pthread_spinlock_t spin;
  int value = 7;
  void *result = 0;
  if (sem_init(&done, 0, 0) || pthread_create(&thread, 0, work, &value)) abort();
  if (sem_wait(&done) || pthread_join(thread, &result) || result != &value || made != 1) abort();
  if (pthread_rwlock_init(&lock, 0) || pthread_rwlock_rdlock(&lock) || !pthread_rwlock_trywrlock(&lock)) abort();
  if (pthread_rwlock_unlock(&lock) || pthread_rwlock_wrlock(&lock) || pthread_rwlock_unlock(&lock)) abort();
  if (pthread_spin_init(&spin, 0) || pthread_spin_lock(&spin) || !pthread_spin_trylock(&spin)) abort();
  void *self = dlopen(0, RTLD_NOW);
  double (*power)(double, double) = (double (*)(double, double))dlsym(self, "pow");
  if (!self || shm_open("/no such memory", 0, 0) != -1 || (power && power(2, 3) != 8)) abort();
  if (pow(2, value) != 128 || dlclose(self)) abort();
}
`;

describe.runIf(hasCompiler && ['x64', 'arm64'].includes(process.arch))('a library for old systems', () => {
  test('binds the versions of symbols that libtorch itself needs, and works', () => {
    const folder = tempDir();
    const { files, flags } = oldGlibc(packageRoot);
    const objects = files.map((file) => {
      const object = path.join(folder, `${path.basename(file)}.o`);
      execFileSync('g++', ['-std=c++20', '-O2', '-fPIC', '-c', file, '-o', object]);
      return object;
    });
    const library = compileLibrary(folder, 'libuser.so', user, [...objects, ...flags, '-lstdc++', '-lm']);
    expect(tooNew(library)).toEqual([]);
    expect([...neededVersions(library).values()].flat()).toEqual(
      expect.arrayContaining(['pthread_create', 'sem_wait', 'pow', 'dlopen', 'shm_open']),
    );
    const load =
      'try { process.dlopen({ exports: {} }, process.argv[1]) } catch (e) { console.log(e.message) }';
    // It is no addon of Node, which is all that is wrong with it.
    expect(execFileSync(process.execPath, ['-e', load, library], { encoding: 'utf8' })).toContain(
      'self-register',
    );
  });

  test('every stand-in of the list is one that the linker takes', () => {
    const { flags } = oldGlibc(packageRoot);
    const assembly = readFileSync(path.join(packageRoot, 'native/compat/old_runtime.S'), 'utf8');
    const names = [...assembly.matchAll(/^OLD\((\w+)/gm)].map(([, name]) => `-Wl,--wrap=${name}`);
    expect(names.length).toBeGreaterThan(40);
    expect(flags).toEqual(expect.arrayContaining([...names, '-Wl,--wrap=pow', '-Wl,--wrap=dlsym']));
  });
});

describe.runIf(hasCompiler)('a plugin goes into the package', () => {
  const addon = { version: '1.2.3', libtorchVersion: '2.13.0+cpu' };

  function built(about: object, source = 'int nothing;'): string {
    const folder = tempDir();
    for (const name of ['cuda', 'nccl']) compileLibrary(folder, `adaptive_trainer_${name}.so`, source);
    writeFileSync(path.join(folder, 'adaptive_trainer_cuda.build.json'), JSON.stringify(about));
    return folder;
  }

  test('where it is whole and of the same version and release', () => {
    const whole = built({ version: '1.2.3', libtorchVersion: '2.13.1+cu130', cuda: '13.0' });
    expect(pluginFault(whole, addon)).toBeUndefined();
    stagePlugin(whole, tempDir(), addon);
    const none = tempDir();
    expect(pluginFault(none, addon)).toContain(`adaptive_trainer_nccl.so in ${none}`);
    for (const about of [
      { version: '1.2.4', libtorchVersion: '2.13.0', cuda: '13.0' },
      { version: '1.2.3', libtorchVersion: '2.14.0', cuda: '13.0' },
      { version: '1.2.3', libtorchVersion: '2.13.0' },
    ])
      expect(() => stagePlugin(built(about), tempDir(), addon)).toThrow(
        /Expected a plugin of version 1\.2\.3 for libtorch 2\.13 .*npm run build:cuda/,
      );
  });

  test('not where it asks for newer systems than libtorch does', () => {
    const about = { version: '1.2.3', libtorchVersion: '2.13.0', cuda: '13.0' };
    const source = '#include <pthread.h>\nvoid *user = pthread_create;';
    const folder = built(about, source);
    const isNewer = tooNew(path.join(folder, 'adaptive_trainer_cuda.so')).length > 0;
    const stage = () => stagePlugin(folder, tempDir(), addon);
    // A machine with glibc before 2.34 has no such version to bind.
    if (isNewer) expect(stage).toThrow(/would not load where libtorch does: pthread_create/);
    else stage();
  });
});
