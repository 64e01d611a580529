import { existsSync } from 'node:fs';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { AdaptiveTrainerError } from '../../errors.js';
import { AddonTrialCache } from './addon-trial-cache.js';
import { dlopen, type LoadHelper } from './dlopen.js';
import { explainLoadFailure } from './explain-load-failure.js';
import { chooseWaiting } from './choose-waiting.js';
import { addonFileName, findAddon } from './find-addon.js';
import { findLibtorch, reinstall } from '../libtorch/find-libtorch.js';
import { cachedCudaLibtorch } from '../libtorch/cuda/cached-cuda-libtorch.js';
import { inspectLibtorch } from '../libtorch/inspect-libtorch.js';
import { libtorchPin } from '../libtorch/libtorch-pin.js';
import { libraryNames } from '../libtorch/library-names.js';
import { loadedLibraries } from './loaded-libraries.js';
import { planAddonLoad } from './plan-addon-load.js';
import { readAddonBuild } from './read-addon-build.js';
import { rebuildCommand } from './rebuild-command.js';
import { tryAddon } from './try-addon.js';
import { windowsPath } from './windows-path.js';
import type { NativeAddon, RanksLibrary } from '../addon.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import { thisMachine } from '../platform/machine.js';
import { packageFolder } from '../platform/package-folder.js';
import { addonPackage } from '../platform/prebuilt.js';
import type { Mends } from './explain-load-failure.js';
import type { AddonLoad } from './plan-addon-load.js';
import { tellingLine, type Trial } from './try-script.js';

let loaded: NativeAddon | undefined;
let loadedFrom: string | undefined;
let ranksLibrary: RanksLibrary | undefined;

/**
 * The native addon, loaded on first use. It is tried in a child process before it is loaded into this one; a trial
 * that succeeded is remembered.
 * @param binaries those to load where none are yet; unless given, those for the CPU
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT, ADDON_UNLOADABLE, or one of findLibtorch's.
 */
export function loadAddon(binaries?: Binaries): NativeAddon {
  if (loaded === undefined) {
    const addon = load(binaries ?? chooseBinaries());
    loaded = addon;
    if (isMainThread) process.on('exit', (status) => addon.restOrExit(status));
  }
  return loaded;
}

/**
 * What several processes that train together need of libtorch; loadAddon() comes first.
 * @throws AdaptiveTrainerError NOT_AVAILABLE where this addon or this libtorch does not have it
 */
export function loadRanksLibrary(): RanksLibrary {
  const file = path.join(path.dirname(loadedFrom!), 'adaptive_trainer_ranks.node');
  try {
    return (ranksLibrary ??= dlopen(file) as RanksLibrary);
  } catch (cause) {
    const why = existsSync(file) ? `it does not load (${(cause as Error).message})` : 'there is no such file';
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `Expected ${file}, which connects several processes, but ${why}. It needs a libtorch with Gloo, as PyTorch's wheels have. ` +
        'Train in one process (WORLD_SIZE=1), or use the libtorch that npm installs.',
      { cause },
    );
  }
}

function load({ addon, libtorch }: Binaries): NativeAddon {
  const plan = planAddonLoad(addon, libtorch);
  loadedFrom = addon;
  const trials = new AddonTrialCache(plan);
  if (!trials.known) {
    const trial = tryAddon(plan);
    if (!trial.ok) throw unloadable(plan, libtorch, trial);
    trials.remember();
  }
  chooseWaiting(process.env);
  // oneDNN keeps the code it has compiled for the last 1,024 shapes of a product, twice. Micro-batches seldom have as many
  // tokens as an earlier one, so that is hundreds of MiB for little: these are the shapes of about four micro-batches.
  process.env['ONEDNN_PRIMITIVE_CACHE_CAPACITY'] ??= '64';
  process.env['LRU_CACHE_CAPACITY'] ??= '64';
  try {
    return open(plan);
  } catch (cause) {
    const stderr = cause instanceof Error ? cause.message : String(cause);
    throw unloadable(
      plan,
      libtorch,
      { ok: false, stderr, status: null, signal: null, timedOut: false },
      cause,
    );
  }
}

/** The addon, and the libtorch to load it with. */
export interface Binaries {
  readonly addon: string;
  readonly libtorch: Libtorch;
}

/**
 * Chooses what is to be loaded; nothing is.
 * @param options.cuda whether a libtorch with CUDA is wanted: one that `setup --cuda` fetched comes before those for the CPU. What
 *   a variable names, and what is in this process already, comes before it
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT, or one of findLibtorch's
 */
export function chooseBinaries({ cuda = false }: { cuda?: boolean } = {}): Binaries {
  const present = loadedLibtorch();
  if (present !== undefined) {
    const addon = findAddon({ libtorchVersion: present.version });
    return { addon: sameAddonInProcess(addon) ?? addon, libtorch: present };
  }
  const onNote = (note: string) => process.emitWarning(note, { code: 'ADAPTIVE_TRAINER_LIBTORCH' });
  if (process.env['ADAPTIVE_TRAINER_LIBTORCH'] || process.env['LIBTORCH']) {
    const libtorch = findLibtorch({ onNote });
    return { addon: findAddon({ libtorchVersion: libtorch.version }), libtorch };
  }
  // Without an explicit wish, an addon is used with the libtorch it was built against: no search, no Python started.
  const addon = findAddon();
  const build = readAddonBuild(addon);
  if (cuda) {
    const cached = cachedCudaLibtorch(build?.libtorchVersion ?? libtorchPin.version);
    const fetched = inspectLibtorch(cached, 'cache');
    if (fetched.kind === 'usable') return { addon, libtorch: fetched.libtorch };
  }
  const builtWith = build?.libtorchRoot;
  const inspection = builtWith === undefined ? undefined : inspectLibtorch(builtWith, 'build');
  if (inspection?.kind === 'usable') return { addon, libtorch: inspection.libtorch };
  return { addon, libtorch: findLibtorch({ onNote }) };
}

// Libraries are known to the process by their names alone, so a second libtorch would be mixed with the first.
function loadedLibtorch(): Libtorch | undefined {
  const [file] = loadedLibraries([libraryNames()[1]!]);
  if (file === undefined) return undefined;
  const inspection = inspectLibtorch(path.dirname(path.dirname(file)), 'process');
  return inspection.kind === 'usable' ? inspection.libtorch : undefined;
}

// Another copy of this package, of the same version, has loaded its addon, and libtorch knows each operator once.
function sameAddonInProcess(addon: string): string | undefined {
  const version = readAddonBuild(addon)?.version;
  if (version === undefined) return undefined;
  return loadedLibraries([addonFileName]).find((file) => readAddonBuild(file)?.version === version);
}

function open({ addon, libDir, preload }: AddonLoad): NativeAddon {
  Object.assign(process.env, windowsPath(libDir));
  if (preload) {
    (dlopen(preload.helper) as LoadHelper).preload(preload.libraries);
  }
  return dlopen(addon) as NativeAddon;
}

function unloadable(
  { addon, preload }: AddonLoad,
  libtorch: Libtorch,
  trial: Extract<Trial, { ok: false }>,
  cause?: unknown,
): AdaptiveTrainerError {
  const files = [addon, ...(preload === undefined ? [] : [preload.helper, ...preload.libraries])];
  const failure = explainLoadFailure(trial, mendsFor(addon, libtorch), files);
  const message = [
    `Expected to load the native addon, but ${failure.cause}. Tried:`,
    `  - ${addon}${existsSync(addon) ? '' : ' (gone)'}`,
    `    with libtorch ${libtorch.version} in ${libtorch.root} (${libtorch.source})` +
      `${preload ? ', its libraries loaded by path' : ''}`,
    ...(trial.stderr ? [`The loader said: ${tellingLine(trial.stderr)}`] : []),
    `What helps: ${failure.fixes.join('; ')}.`,
  ].join('\n');
  const { stderr, status, signal, timedOut } = trial;
  return new AdaptiveTrainerError('ADDON_UNLOADABLE', message, {
    details: { addon, libtorch: libtorch.root, stderr, status, signal, timedOut, fixes: failure.fixes },
    cause,
  });
}

function mendsFor(addon: string, libtorch: Libtorch): Mends {
  const rebuild = `build it here: \`${rebuildCommand()}\``;
  const folder = packageFolder(addonPackage(thisMachine()));
  const isOfNpm = folder !== undefined && addon.startsWith(folder + path.sep);
  const renewLibtorch = {
    package: reinstall(libtorch.root),
    cache: `run \`npx adaptive-trainer setup ${libtorch.cuda ? '--cuda' : '--cpu'} --force\``,
  }[libtorch.source as string];
  return {
    rebuild,
    renewAddon: isOfNpm ? reinstall(folder) : rebuild,
    renewLibtorch: renewLibtorch ?? `install the libtorch in ${libtorch.root} again`,
  };
}
