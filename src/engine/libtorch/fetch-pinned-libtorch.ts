import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { fetchArchive } from './fetch-archive.js';
import { fetchWheel } from './fetch-wheel.js';
import { libtorchPin } from './libtorch-pin.js';
import type { FetchArchiveOptions } from './fetch-archive.js';
import type { FetchWheelOptions } from './fetch-wheel.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';

/** Something that was fetched and can be extracted. */
export interface FetchedLibtorch {
  readonly zip: string;
  readonly kind: 'wheel' | 'archive';
  /** The address or file name it came from, for the manifest. */
  readonly source: string;
}

/** Puts the pinned version's zip into `workDir`. */
export type LibtorchFetcher = (workDir: string, onProgress: OnSetupProgress) => Promise<FetchedLibtorch>;

/** In place of the Pythons of this machine and of the official address. */
export interface FetchSources {
  readonly wheel?: Pick<FetchWheelOptions, 'env' | 'interpreters'>;
  readonly archive?: Pick<FetchArchiveOptions, 'baseUrl' | 'fetch'>;
}

/** The wheel through pip, and if that fails the official archive; the error tells of both. */
export async function fetchPinnedLibtorch(
  workDir: string,
  onProgress: OnSetupProgress,
  sources: FetchSources = {},
): Promise<FetchedLibtorch> {
  const { version } = libtorchPin;
  let ofPip: unknown;
  try {
    // On Linux the untagged wheel is a CUDA build, larger by gigabytes; elsewhere there are only CPU builds.
    const requirement = process.platform === 'linux' ? `torch==${version}+cpu` : `torch==${version}`;
    const zip = await fetchWheel({ requirement, workDir, onProgress, ...sources.wheel });
    return { zip, kind: 'wheel', source: path.basename(zip) };
  } catch (error) {
    ofPip = error;
  }
  onProgress({ phase: 'note', message: 'pip could not fetch it; trying the official archive.' });
  try {
    const { zip, url } = await fetchArchive({ version, workDir, onProgress, ...sources.archive });
    return { zip, kind: 'archive', source: url };
  } catch (ofArchive) {
    throw bothFailed(ofPip as Error, ofArchive as Error);
  }
}

// fetch of Node asks for no proxy unless it is told to.
function proxyNote(env: NodeJS.ProcessEnv = process.env): string {
  const isSet = [env['HTTPS_PROXY'], env['https_proxy']].some(Boolean);
  if (!isSet || env['NODE_USE_ENV_PROXY'] === '1') return '';
  return (
    'HTTPS_PROXY is set; pip goes through it, and Node 22.21 and 24 do with NODE_USE_ENV_PROXY=1 (Node 20 cannot: install ' +
    "Python's pip).\n"
  );
}

function bothFailed(ofPip: Error, ofArchive: Error): AdaptiveTrainerError {
  const indent = (text: string): string => text.replace(/\n/g, '\n    ');
  return new AdaptiveTrainerError(
    'LIBTORCH_NOT_FOUND',
    `Could not fetch libtorch ${libtorchPin.version}. Tried:\n` +
      `  - the wheel, with pip:\n    ${indent(ofPip.message)}\n` +
      `  - the official archive:\n    ${indent(ofArchive.message)}\n` +
      proxyNote() +
      'Mend the network, the proxy (HTTPS_PROXY, pip.conf) or pip, and run `npx adaptive-trainer setup` again. Or ' +
      'fetch libtorch elsewhere and set ADAPTIVE_TRAINER_LIBTORCH to the folder that holds its lib/ and include/.',
    { cause: new AggregateError([ofPip, ofArchive]) },
  );
}
