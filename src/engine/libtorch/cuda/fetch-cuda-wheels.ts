import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { mkdirs } from '../../../common/mkdirs.js';
import type { OnSetupProgress } from '../../../common/setup-progress.js';
import { AdaptiveTrainerError } from '../../../errors.js';
import { fetchWheel, type FetchWheelOptions } from '../fetch-wheel.js';
import type { WheelSource } from './gather-wheels.js';
import { requirementText } from './requirement.js';
import { downloadAdvice, newestIn, wheelsIn } from './wheel-folder.js';

/** How wheels are fetched. */
export interface FetchCudaOptions extends Pick<FetchWheelOptions, 'env' | 'interpreters'> {
  /** Where finished wheels are kept, so that a download that was broken off goes on behind the last of them. */
  readonly folder: string;
  readonly version: string;
  readonly onProgress: OnSetupProgress;
}

const partPrefix = 'part-';

/** Fetches single wheels with pip into a folder; what is there already is not fetched again. */
export async function wheelFetcher(options: FetchCudaOptions): Promise<WheelSource> {
  const { folder } = options;
  await mkdirs(folder);
  // Of downloads that were broken off; whoever calls this holds the lock.
  for (const name of await readdir(folder))
    if (name.startsWith(partPrefix)) await rm(path.join(folder, name), { recursive: true, force: true });
  return async (requirement) => {
    const there = newestIn(await wheelsIn(folder), requirement);
    return there ?? (await fetchOne(requirementText(requirement), options));
  };
}

async function fetchOne(requirement: string, options: FetchCudaOptions): Promise<string> {
  const { folder, env, interpreters, onProgress } = options;
  const workDir = await mkdtemp(path.join(folder, partPrefix));
  try {
    const wheel = await fetchWheel({
      ...{ requirement, workDir, onProgress },
      ...(env === undefined ? {} : { env }),
      ...(interpreters === undefined ? {} : { interpreters }),
    });
    const file = path.join(folder, path.basename(wheel));
    await rename(wheel, file);
    return file;
  } catch (cause) {
    if (/No space left on device/i.test((cause as Error).message)) throw cause;
    throw notFetched(cause as Error, options.version);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function notFetched(cause: Error, version: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'LIBTORCH_NOT_FOUND',
    `Could not fetch libtorch ${version} for CUDA. Tried:\n  - ${cause.message.replace(/\n/g, '\n  - ')}\n` +
      'Mend the network, the proxy (HTTPS_PROXY, pip.conf) or pip, and run `npx adaptive-trainer setup --cuda` again: what was ' +
      'fetched so far is kept. Where the index that pip asks has no torch with CUDA, name one that has: ' +
      'PIP_INDEX_URL=https://download.pytorch.org/whl/cu130.\n' +
      `Without a network here: ${downloadAdvice('wheels', version, true)} Then run \`npx adaptive-trainer setup --cuda --from wheels\`.`,
    { cause },
  );
}
