import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';
import { withLock } from '../../common/with-lock.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { explainStorage } from './explain-storage.js';
import type { Inspection } from './inspect-libtorch.js';
import type { Libtorch } from './libtorch.js';

/** A libtorch that is to be in the cache. */
export interface InstallOptions {
  /** The folder that it fills. */
  readonly folder: string;
  readonly inspect: () => Inspection;
  /** Puts it into a folder that is not there yet. */
  readonly fill: (into: string, workDir: string) => Promise<void>;
  /** How much room it takes, in words. */
  readonly need: string;
  /** Fill it even where a sound one is there. */
  readonly force: boolean;
  readonly onProgress: OnSetupProgress;
}

/**
 * Makes sure that a libtorch is in the cache. Of several processes that do so at once one fills it, and the others wait.
 * @throws AdaptiveTrainerError LIBTORCH_BROKEN when what came is bad, IO_FAILED when the disk is full or the cache cannot be
 * written to, or what `fill` throws
 */
export async function installIntoCache(options: InstallOptions): Promise<Libtorch> {
  const { folder, force } = options;
  const present = force ? undefined : found(options);
  if (present !== undefined) return present;
  try {
    await mkdirs(path.dirname(folder));
    return await fillOnce(options);
  } catch (error) {
    throw explainStorage(error, path.dirname(folder), options.need);
  }
}

async function fillOnce(options: InstallOptions): Promise<Libtorch> {
  const { folder, inspect, force, onProgress } = options;
  const lock = `${folder}.lock`;
  const onWait = () =>
    onProgress({ phase: 'wait', message: `Another process is fetching libtorch; waiting (${lock}).` });
  return withLock(lock, { onWait }, async (waited) => {
    // Whoever held the lock has fetched what is wanted here.
    const meanwhile = force && !waited ? undefined : found(options);
    if (meanwhile !== undefined) return meanwhile;
    await replace(options);
    const inspection = inspect();
    if (inspection.kind !== 'usable') {
      throw new AdaptiveTrainerError(
        'LIBTORCH_BROKEN',
        `Expected a usable libtorch in ${folder} after fetching it, but it ${inspection.found}.`,
      );
    }
    const { version, root } = inspection.libtorch;
    onProgress({ phase: 'done', message: `libtorch ${version} is in ${root}.` });
    return inspection.libtorch;
  });
}

function found({ inspect, onProgress }: InstallOptions): Libtorch | undefined {
  const inspection = inspect();
  if (inspection.kind !== 'usable') return undefined;
  const { version, root } = inspection.libtorch;
  onProgress({ phase: 'found', message: `libtorch ${version} is in ${root}; nothing to fetch.` });
  return inspection.libtorch;
}

// Everything happens in a folder beside the target, which takes its place by a rename: no half of it is ever seen.
async function replace({ folder, fill }: InstallOptions): Promise<void> {
  await removeLeftovers(folder);
  const workDir = await mkdtemp(`${folder}.part-`);
  try {
    const filled = path.join(workDir, 'libtorch');
    await fill(filled, workDir);
    const old = path.join(workDir, 'old');
    await rename(folder, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(filled, folder);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

// Work folders of setups that were killed; with the lock held here, no process uses them.
async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(path.dirname(folder));
  for (const name of names.filter((other) => other.startsWith(`${path.basename(folder)}.part-`))) {
    await rm(path.join(path.dirname(folder), name), { recursive: true, force: true });
  }
}
