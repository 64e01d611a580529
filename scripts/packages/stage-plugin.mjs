import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { tooNew } from './elf-versions.mjs';
import { stripped } from './stripped.mjs';
import { writeIfChanged } from './write-if-changed.mjs';

const about = 'adaptive_trainer_cuda.build.json';
const libraries = ['adaptive_trainer_cuda.so', 'adaptive_trainer_nccl.so'];

/** What an addon was built for. @typedef {{ version: string, libtorchVersion: string }} Addon */

/** @param {string} version */
const release = (version) => version.split('.').slice(0, 2).join('.');

/**
 * Why what `npm run build:cuda` left in a folder cannot go beside an addon; undefined: it can.
 * @param {string} from
 * @param {Addon} addon
 * @returns {string | undefined}
 */
export function pluginFault(from, { version, libtorchVersion }) {
  const missing = [about, ...libraries].filter((name) => !existsSync(path.join(from, name)));
  if (missing.length > 0) return `Expected ${missing.join(', ')} in ${from}`;
  const build = readAbout(from);
  if (
    build.version === version &&
    release(build.libtorchVersion) === release(libtorchVersion) &&
    build.cuda !== undefined
  )
    return undefined;
  return `Expected a plugin of version ${version} for libtorch ${release(libtorchVersion)} in ${from}, found ${JSON.stringify(build)}`;
}

/**
 * Puts the kernels for CUDA beside an addon.
 * @param {string} from the folder of `npm run build:cuda`
 * @param {string} target
 * @param {Addon} addon
 * @throws {Error} where a part is missing, was built for another version, or would not load where libtorch does
 */
export function stagePlugin(from, target, addon) {
  const fault = pluginFault(from, addon);
  if (fault !== undefined)
    throw new Error(`${fault}. Run \`npm run build:cuda\` with a libtorch for CUDA of that release.`);
  for (const name of libraries) {
    const file = path.join(target, name);
    stripped(path.join(from, name), file);
    const symbols = tooNew(file);
    if (symbols.length > 0)
      throw new Error(`${name} would not load where libtorch does: ${symbols.join(', ')}`);
  }
  writeIfChanged(path.join(target, about), `${JSON.stringify(readAbout(from))}\n`);
}

function readAbout(folder) {
  return JSON.parse(readFileSync(path.join(folder, about), 'utf8'));
}
