import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot } from '../../common/package-root.js';

/**
 * The folder of an npm package, as Node resolves its name from this package (and then from the other folders given): beside
 * it, above it, or behind pnpm's links. Undefined where it is not installed.
 */
export function packageFolder(name: string, from: readonly string[] = [packageRoot]): string | undefined {
  for (const folder of from) {
    try {
      return path.dirname(createRequire(path.join(folder, 'package.json')).resolve(`${name}/package.json`));
    } catch {
      // not installed there
    }
  }
  return undefined;
}
