import { createRequire } from 'node:module';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';
import { packageVersion } from '../../common/package-version.js';
import { packageFolder } from '../platform/package-folder.js';
import { sourcePackage } from '../platform/prebuilt.js';

/** The C++ of the addon and what builds it. */
export interface AddonSources {
  /** The folder of CMakeLists.txt. */
  readonly root: string;
  /** The program of cmake-js. */
  readonly cmakeJs: string;
}

/**
 * Finds the sources of the addon: those of this checkout, or those of the package that brings them, which may be installed
 * beside this one or in the project at hand.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT where that package is not installed.
 */
export function addonSources(root: string = packageRoot, project: string = process.cwd()): AddonSources {
  const sources = isCheckout(root) ? root : packageFolder(sourcePackage, [root, project]);
  if (sources === undefined) {
    const fix = `npm install --save-dev ${sourcePackage}@${packageVersion()}`;
    throw new AdaptiveTrainerError(
      'ADDON_NOT_BUILT',
      `Expected the package ${sourcePackage}, which brings the C++ of the addon and the tools that build it, but it is not ` +
        `installed. Run \`${fix}\` in your project, then \`npx adaptive-trainer build\` again. Nothing was fetched.`,
      { details: { tried: [root, project], fix } },
    );
  }
  const manifest = createRequire(path.join(sources, 'package.json')).resolve('cmake-js/package.json');
  return { root: sources, cmakeJs: path.join(path.dirname(manifest), 'bin', 'cmake-js') };
}
