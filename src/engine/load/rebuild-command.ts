import { existsSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../common/package-root.js';

/** The command that builds the addon: another one in a checkout than in a project that depends on the package. */
export function rebuildCommand(root: string = packageRoot): string {
  return existsSync(path.join(root, 'src')) ? 'npm run build:native' : 'npm rebuild adaptive-trainer';
}
