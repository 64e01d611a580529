import { execFileSync, spawnSync } from 'node:child_process';
import { realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/common/package-root.js';
import { packageVersion } from '../../src/common/package-version.js';
import { findLibtorch } from '../../src/engine/libtorch/find-libtorch.js';
import { hasCompiler, libtorchWith, stubDriver } from '../engine/device/stub-library.js';
import { tempDir } from '../helpers/temp-dir.js';

/** Whether the device can be built on this machine. */
export const canBuild = hasCompiler && spawnSync('cmake', ['--version']).status === 0;

/** How long building it may take. */
export const buildTimeout = 600_000;

/**
 * Builds the device of test/core/device/as_cuda, whose memory the host cannot touch, and gives the variables with which it is the
 * GPU of a process: what finds, checks and loads one does so here, with a driver that says that there is one card.
 * @param bytes of its memory; default: plenty
 */
export function guardedDevice(): (bytes?: number) => NodeJS.ProcessEnv {
  // The cache folder of tests leads to the libtorch by a link that goes with them; the build folder stays.
  const real = findLibtorch();
  execFileSync(process.execPath, ['scripts/test-core.mjs', '--guarded-device'], {
    cwd: packageRoot,
    env: { ...process.env, ADAPTIVE_TRAINER_LIBTORCH: realpathSync(real.root) },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  const built = path.join(packageRoot, 'build', 'core', 'guarded');
  const libtorch = libtorchWith((libDir) =>
    symlinkSync(path.join(built, 'libtorch_cuda.so'), path.join(libDir, 'libtorch_cuda.so')),
  );
  const plugin = path.join(tempDir(), 'adaptive_trainer_cuda.so');
  symlinkSync(path.join(built, 'adaptive_trainer_cuda.so'), plugin);
  writeFileSync(
    path.join(path.dirname(plugin), 'adaptive_trainer_cuda.build.json'),
    JSON.stringify({ version: packageVersion(), libtorchVersion: real.version }),
  );
  const driver = tempDir();
  stubDriver(driver, { devices: [['The guarded device', 9, 0]] });
  return (bytes) => ({
    LD_LIBRARY_PATH: driver,
    ADAPTIVE_TRAINER_LIBTORCH: libtorch,
    ADAPTIVE_TRAINER_CUDA_PLUGIN: plugin,
    ...(bytes === undefined ? {} : { ADAPTIVE_GUARDED_BYTES: String(bytes) }),
  });
}
