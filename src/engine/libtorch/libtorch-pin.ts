import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../common/package-root.js';

/** Which libtorch this package is made for: `version` is fetched, `oldest` ≤ v < `newestBelow` is accepted. */
export interface LibtorchPin {
  readonly version: string;
  readonly oldest: string;
  readonly newestBelow: string;
}

/** The one place that says which libtorch is wanted: libtorch.json. */
export const libtorchPin: LibtorchPin = JSON.parse(
  readFileSync(join(packageRoot, 'libtorch.json'), 'utf8'),
) as LibtorchPin;
