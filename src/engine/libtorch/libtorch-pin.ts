import { readFileSync } from 'node:fs';

/** Which libtorch this package is made for: `version` is fetched, `oldest` ≤ v < `newestBelow` is accepted. */
export interface LibtorchPin {
  readonly version: string;
  readonly oldest: string;
  readonly newestBelow: string;
}

// libtorch.json lies beside package.json; src/ and dist/ are equally deep, so one relative path serves both.
const pinFile = new URL('../../../libtorch.json', import.meta.url);

/** The one place that says which libtorch is wanted: libtorch.json. */
export const libtorchPin: LibtorchPin = JSON.parse(readFileSync(pinFile, 'utf8')) as LibtorchPin;
