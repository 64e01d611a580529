import { existsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { packageRoot } from '../../common/package-root.js';
import { rebuildCommand } from './rebuild-command.js';

const fileName = 'adaptive_trainer.node';

/**
 * The addon's path: `ADAPTIVE_TRAINER_ADDON`, a prebuilt one for this platform, or the one built here.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT, listing the places.
 */
export function findAddon(env: NodeJS.ProcessEnv = process.env, root: string = packageRoot): string {
  const chosen = env['ADAPTIVE_TRAINER_ADDON'];
  if (chosen) {
    const file = path.resolve(chosen);
    if (existsSync(file)) return file;
    throw new AdaptiveTrainerError(
      'ADDON_NOT_BUILT',
      `Expected the native addon at ${file}, which ADAPTIVE_TRAINER_ADDON names, but there is no such file. ` +
        'Correct the variable, or unset it to use the addon of this package.',
      { details: { tried: [file] } },
    );
  }
  const tried = [
    path.join(root, 'prebuilds', `${process.platform}-${process.arch}`, fileName),
    path.join(root, 'build', 'Release', fileName),
  ];
  const found = tried.find((file) => existsSync(file));
  if (found !== undefined) return found;
  const command = rebuildCommand(root);
  throw new AdaptiveTrainerError(
    'ADDON_NOT_BUILT',
    `Expected the native addon of adaptive-trainer in one of these places, but found it in none:\n` +
      `${tried.map((file) => `  - ${file}`).join('\n')}\n` +
      `Build it with \`${command}\` (needs CMake and a C++ compiler; fetches libtorch if it is missing). It is ` +
      'absent when npm was not allowed to run install scripts (--ignore-scripts, allow-scripts) or ' +
      'ADAPTIVE_TRAINER_SKIP_BUILD=1 was set.',
    { details: { tried, fix: command } },
  );
}
