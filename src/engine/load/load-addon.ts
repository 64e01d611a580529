import { existsSync } from 'node:fs';
import os from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { AdaptiveTrainerError } from '../../errors.js';
import { AddonTrialCache } from './addon-trial-cache.js';
import { explainLoadFailure } from './explain-load-failure.js';
import { findAddon } from './find-addon.js';
import { findLibtorch } from '../libtorch/find-libtorch.js';
import { inspectLibtorch } from '../libtorch/inspect-libtorch.js';
import { planAddonLoad } from './plan-addon-load.js';
import { readAddonBuild } from './read-addon-build.js';
import { rebuildCommand } from './rebuild-command.js';
import { tryAddon } from './try-addon.js';
import { windowsPath } from './windows-path.js';
import type { NativeAddon } from '../addon.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import type { AddonLoad } from './plan-addon-load.js';
import type { AddonTrial } from './try-addon.js';

let loaded: NativeAddon | undefined;

/**
 * The native addon, loaded on first use. It is tried in a child process before it is loaded into this one; a trial
 * that succeeded is remembered.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT, ADDON_UNLOADABLE, or one of findLibtorch's.
 */
export function loadAddon(): NativeAddon {
  if (loaded === undefined) {
    const addon = load();
    loaded = addon;
    if (isMainThread) process.on('exit', (status) => addon.restOrExit(status));
  }
  return loaded;
}

function load(): NativeAddon {
  const addon = findAddon();
  const libtorch = chooseLibtorch(addon);
  const plan = planAddonLoad(addon, libtorch);
  const trials = new AddonTrialCache(plan);
  if (!trials.known) {
    const trial = tryAddon(plan);
    if (!trial.ok) throw unloadable(plan, libtorch, trial);
    trials.remember();
  }
  // libgomp reads this once, as it is loaded. Threads that spin while they wait make a small model many times slower as soon
  // as anything else wants the cores, and gain little where nothing does.
  process.env['OMP_WAIT_POLICY'] ??= 'PASSIVE';
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

// Without an explicit wish, an addon is used with the libtorch it was built against: no search, no Python started.
function chooseLibtorch(addon: string): Libtorch {
  const explicit = process.env['ADAPTIVE_TRAINER_LIBTORCH'] || process.env['LIBTORCH'];
  const builtWith = readAddonBuild(addon)?.libtorchRoot;
  if (!explicit && builtWith !== undefined) {
    const inspection = inspectLibtorch(builtWith, 'build');
    if (inspection.kind === 'usable') return inspection.libtorch;
  }
  return findLibtorch({ onNote: (note) => process.emitWarning(note, { code: 'ADAPTIVE_TRAINER_LIBTORCH' }) });
}

function open({ addon, libDir, preload }: AddonLoad): NativeAddon {
  Object.assign(process.env, windowsPath(libDir));
  if (preload) {
    const helper = dlopen(preload.helper) as { preload: (libraries: readonly string[]) => void };
    helper.preload(preload.libraries);
  }
  return dlopen(addon) as NativeAddon;
}

function dlopen(file: string): unknown {
  const module = { exports: {} };
  process.dlopen(module, file, os.constants.dlopen.RTLD_NOW);
  return module.exports;
}

function unloadable(
  { addon, preload }: AddonLoad,
  libtorch: Libtorch,
  trial: Extract<AddonTrial, { ok: false }>,
  cause?: unknown,
): AdaptiveTrainerError {
  const commands = { rebuild: rebuildCommand(), setup: 'npx adaptive-trainer setup' };
  const failure = explainLoadFailure(trial, commands);
  const message = [
    `Expected to load the native addon, but ${failure.cause}. Tried:`,
    `  - ${addon}${existsSync(addon) ? '' : ' (gone)'}`,
    `    with libtorch ${libtorch.version} in ${libtorch.root} (${libtorch.source})` +
      `${preload ? ', its libraries loaded by path' : ''}`,
    ...(trial.stderr ? [`The loader said: ${shorten(trial.stderr)}`] : []),
    `What helps: ${failure.fixes.join('; ')}.`,
  ].join('\n');
  const { stderr, status, signal, timedOut } = trial;
  return new AdaptiveTrainerError('ADDON_UNLOADABLE', message, {
    details: { addon, libtorch: libtorch.root, stderr, status, signal, timedOut, fixes: failure.fixes },
    cause,
  });
}

// A child's stderr is a stack trace around one telling line.
function shorten(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const error = lines.find((line) => /^\w*Error: /.test(line));
  return error ?? lines.slice(0, 5).join(' ');
}
