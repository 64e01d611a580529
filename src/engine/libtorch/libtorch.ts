/**
 * Where a libtorch was found: an environment variable, the package that npm installs, this project's cache, a Python's torch, a
 * recorded build, or in this process already.
 */
export type LibtorchSource =
  'ADAPTIVE_TRAINER_LIBTORCH' | 'LIBTORCH' | 'package' | 'cache' | 'python' | 'build' | 'process';

/** A libtorch on this machine that has passed inspection. */
export interface Libtorch {
  /** The folder that holds lib/ and, where an addon can be built with it, include/. */
  readonly root: string;
  readonly libDir: string;
  readonly includeDir: string;
  /** What CMake takes as CMAKE_PREFIX_PATH for find_package(Torch). */
  readonly cmakePrefix: string;
  /** As the libtorch states it, for example `2.13.0+cpu`. */
  readonly version: string;
  readonly source: LibtorchSource;
  /** The value of _GLIBCXX_USE_CXX11_ABI it was compiled with; only where that exists (Linux). */
  readonly cxx11Abi?: boolean;
  readonly cuda: boolean;
}
