import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { packageVersion } from '../../common/package-version.js';
import { addonFileName } from '../load/find-addon.js';
import { planAddonLoad } from '../load/plan-addon-load.js';
import { addonBuildName } from '../load/read-addon-build.js';
import { tryAddon } from '../load/try-addon.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import type { AddonBuild } from '../load/read-addon-build.js';
import type { AddonSources } from './addon-sources.js';

/**
 * Compiles the addon through cmake-js, as far as it is not compiled yet, into the folder `output`; CMake's files go to
 * `buildDir`. Tries whether it loads, and writes beside it what it was built against.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT
 */
export async function compileAddon(
  sources: AddonSources,
  libtorch: Libtorch,
  buildDir: string,
  output: string,
): Promise<void> {
  const settings = {
    ADAPTIVE_TRAINER_LIBTORCH: libtorch.root,
    ADAPTIVE_TRAINER_CXX11_ABI: libtorch.cxx11Abi === false ? '0' : '1',
    ADAPTIVE_TRAINER_OUTPUT: output,
  };
  const cmakeJs = (command: string, ...args: string[]) =>
    run(
      [sources.cmakeJs, command, '--directory', sources.root, '--out', buildDir, ...args],
      `cmake-js ${command}`,
    );
  const before = cmakeCache(buildDir);
  const home = before['CMAKE_HOME_DIRECTORY'];
  if (home !== undefined && path.resolve(home) !== path.resolve(sources.root)) {
    // A checkout that was moved or copied: CMake refuses a cache of another folder.
    await rm(path.join(buildDir, 'CMakeCache.txt'));
    await rm(path.join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
  }
  // CMake itself notices changed sources and lists; only what is passed from here needs a new configuration.
  const configured =
    home !== undefined && Object.entries(settings).every(([name, value]) => before[name] === value);
  const addon = path.join(output, addonFileName);
  if (!configured || !existsSync(addon)) {
    await cmakeJs('configure', ...Object.entries(settings).map(([name, value]) => `--CD${name}=${value}`));
  }
  // One compiler takes up to 1.5 GB on ATen's headers.
  const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2e9)));
  await cmakeJs('build', '--parallel', String(jobs));
  const description: AddonBuild = {
    version: packageVersion(),
    libtorchRoot: libtorch.root,
    libtorchVersion: libtorch.version,
  };
  await writeFile(path.join(output, addonBuildName), `${JSON.stringify(description)}\n`);
  const trial = tryAddon(planAddonLoad(addon, libtorch));
  if (trial.ok) return;
  const reason = /^\w*Error: .*$/m.exec(trial.stderr)?.[0] ?? (trial.stderr || trial.signal);
  throw notBuilt(`The addon was built but does not load: ${reason ?? `exit status ${trial.status}`}`);
}

/** The entries of CMake's cache as they are on disk, or nothing. */
function cmakeCache(buildDir: string): Record<string, string> {
  const file = path.join(buildDir, 'CMakeCache.txt');
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').matchAll(/^([\w-]+):\w+=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name!, value!]));
}

/** Runs a program of Node; what it prints is shown. */
function run(args: readonly string[], what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    child.on('error', (error) => reject(notBuilt(`${what} failed (${error.message}).`)));
    child.on('close', (status, signal) => {
      if (status === 0) resolve();
      else reject(notBuilt(`${what} failed (${signal ?? `exit status ${status}`}); what it said is above.`));
    });
  });
}

function notBuilt(message: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError('ADDON_NOT_BUILT', message, { details: { tried: [] } });
}
