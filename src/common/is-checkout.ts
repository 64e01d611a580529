import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './package-root.js';

/** Whether a folder of this package is a checkout of its sources rather than an installation. */
export function isCheckout(root: string = packageRoot): boolean {
  return existsSync(join(root, 'src'));
}
