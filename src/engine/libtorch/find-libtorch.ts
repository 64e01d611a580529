import { existsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { thisMachine } from '../platform/machine.js';
import { packageFolder } from '../platform/package-folder.js';
import { libtorchPackage } from '../platform/prebuilt.js';
import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';
import { cachedLibtorchDir } from './cached-libtorch-dir.js';
import { cachedCudaLibtorch } from './cuda/cached-cuda-libtorch.js';
import { inspectLibtorch } from './inspect-libtorch.js';
import { libtorchPin } from './libtorch-pin.js';
import { pythonTorch } from './python-torch.js';
import type { ErrorCode } from '../../errors.js';
import type { Inspection } from './inspect-libtorch.js';
import type { Libtorch } from './libtorch.js';
import type { PythonTorch } from './python-torch.js';

/** One place that was looked at, in order. */
export interface TriedPlace {
  readonly place: string;
  readonly found: string;
}

/** What a search depends on; tests and the setup command give their own. */
export interface FindOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The folder of this package, beside which npm puts its libtorch. */
  readonly root?: string;
  /** Only a libtorch that an addon can be compiled with; the one of npm comes without headers. */
  readonly withHeaders?: boolean;
  /** Asks Python for its torch; a subprocess unless given. */
  readonly python?: () => PythonTorch;
  /** Told of things worth knowing that are no errors, such as a skipped version check. */
  readonly onNote?: (note: string) => void;
}

const variables = ['ADAPTIVE_TRAINER_LIBTORCH', 'LIBTORCH'] as const;
const withOptional = 'npm install --include=optional';
const setupCommand = 'npx adaptive-trainer setup';

/**
 * Finds libtorch for the CPU: `ADAPTIVE_TRAINER_LIBTORCH`, `LIBTORCH`, the package that npm installs, this project's cache, the
 * active Python's torch, in this order. One with CUDA will do. Synchronous, because the addon is loaded on first use of the library and everything waits for it anyway.
 * @throws AdaptiveTrainerError LIBTORCH_NOT_FOUND, LIBTORCH_WRONG_VERSION or LIBTORCH_BROKEN, listing every place.
 */
export function findLibtorch(options: FindOptions = {}): Libtorch {
  const env = options.env ?? process.env;
  const tried: TriedPlace[] = [];
  const faults: Inspection['kind'][] = [];

  const look = (place: string, root: string, source: Libtorch['source']): Libtorch | undefined => {
    const inspection = inspectLibtorch(root, source, { env, withHeaders: options.withHeaders ?? false });
    if (inspection.kind === 'usable') {
      if (inspection.note !== undefined) options.onNote?.(inspection.note);
      return inspection.libtorch;
    }
    tried.push({ place: `${place} (${root})`, found: inspection.found });
    faults.push(inspection.kind);
    return undefined;
  };

  for (const name of variables) {
    const value = env[name];
    if (!value) {
      tried.push({ place: name, found: 'not set' });
      continue;
    }
    const libtorch = look(name, path.resolve(value), name);
    // An explicit wish that cannot be met is an error; using another libtorch instead would hide it.
    if (libtorch === undefined) throw failure(faults, tried, name);
    return libtorch;
  }
  if (!options.withHeaders) {
    const name = libtorchPackage(thisMachine());
    const folder = packageFolder(name, [options.root ?? packageRoot]);
    const ofNpm = folder === undefined ? undefined : look(name, folder, 'package');
    if (ofNpm) return ofNpm;
    if (folder === undefined) tried.push({ place: name, found: 'not installed by npm' });
    // Going on to another libtorch would hide that the installation is damaged.
    else throw failure(faults, tried, undefined, folder);
  }
  const cached = look('cache', cachedLibtorchDir(env), 'cache');
  if (cached) return cached;
  // One with CUDA computes on the CPU as well. CMake's files in it ask for a toolkit, so nothing is built with it unasked.
  const withCuda = cachedCudaLibtorch(libtorchPin.version, env);
  const ofCuda =
    options.withHeaders || !existsSync(withCuda) ? undefined : look('cache, with CUDA', withCuda, 'cache');
  if (ofCuda) return ofCuda;
  const python = (options.python ?? pythonTorch)();
  const ofPython = python.root === undefined ? undefined : look('Python', python.root, 'python');
  if (ofPython) return ofPython;
  if (python.root === undefined) tried.push({ place: 'Python', found: python.tried.join('; ') });
  throw failure(faults, tried);
}

function failure(
  faults: readonly Inspection['kind'][],
  tried: readonly TriedPlace[],
  variable?: string,
  folder?: string,
): AdaptiveTrainerError {
  const broken = faults.includes('broken');
  const code: ErrorCode = broken
    ? 'LIBTORCH_BROKEN'
    : faults.includes('wrong-version')
      ? 'LIBTORCH_WRONG_VERSION'
      : 'LIBTORCH_NOT_FOUND';
  const range = `${libtorchPin.oldest} ≤ version < ${libtorchPin.newestBelow}`;
  const heading = variable
    ? `Expected libtorch (${range}) in the folder that ${variable} names, but it cannot be used.`
    : `Expected libtorch (${range}) on this machine, but none can be used.`;
  const list = tried.map(({ place, found }) => `  - ${place}: ${found}`).join('\n');
  return new AdaptiveTrainerError(
    code,
    `${heading} Looked in this order:\n${list}\n${advice(code, variable, folder)}`,
    { details: { tried, expected: range, fix: folder === undefined ? setupCommand : reinstall(folder) } },
  );
}

/** What mends a package whose files are damaged; npm itself does not look at them. */
export function reinstall(folder: string): string {
  return `delete the folder ${folder} and run \`npm install\` again`;
}

function advice(code: ErrorCode, variable?: string, folder?: string): string {
  const lines: string[] = [];
  if (folder !== undefined) {
    lines.push(`What helps: ${reinstall(folder)}.`);
  } else if (variable) {
    lines.push(`Point ${variable} at a folder that holds lib/ and include/ (a site-packages/torch will do),`);
    lines.push(
      isCheckout()
        ? `or unset it and run \`${setupCommand}\`, which fetches libtorch ${libtorchPin.version}.`
        : `or unset it and use the libtorch that \`${withOptional}\` brings.`,
    );
  } else {
    if (!isCheckout())
      lines.push(`Run \`${withOptional}\`, which brings libtorch ${libtorchPin.version}, or`);
    lines.push(`Run \`${setupCommand}\`, which fetches libtorch ${libtorchPin.version} for this project.`);
  }
  if (code === 'LIBTORCH_WRONG_VERSION') {
    lines.push('To try the wrong version at your own risk, set ADAPTIVE_TRAINER_SKIP_VERSION_CHECK=1.');
  }
  return lines.join('\n');
}
