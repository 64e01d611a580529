import os from 'node:os';
import path from 'node:path';
import type { CudaDriver } from '../device/cuda-driver.js';

/** The library beside the addon that needs no libtorch. */
export interface LoadHelper {
  /** Loads shared libraries, in this order, and keeps them. */
  preload(libraries: readonly string[]): void;
  /** What NVIDIA's driver says; undefined: there is none. */
  cudaDriver(): CudaDriver | undefined;
}

/** The helper's file beside an addon. */
export function helperOf(addon: string): string {
  return path.join(path.dirname(addon), 'adaptive_trainer_preload.node');
}

/** Loads an addon. RTLD_NOW, so that a missing symbol shows here and not in the middle of training. */
export function dlopen(file: string): unknown {
  const module = { exports: {} };
  process.dlopen(module, file, os.constants.dlopen.RTLD_NOW);
  return module.exports;
}
