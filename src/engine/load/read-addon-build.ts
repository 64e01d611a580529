import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** What an addon was built against. scripts/install.mjs writes it beside the addon. */
export interface AddonBuild {
  /** Absent in a prebuilt addon: that one takes libtorch from wherever it is found. */
  readonly libtorchRoot?: string;
  readonly libtorchVersion: string;
}

/** Reads the description beside an addon, if there is one. */
export function readAddonBuild(addon: string): AddonBuild | undefined {
  const file = path.join(path.dirname(addon), 'adaptive_trainer.build.json');
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as AddonBuild;
  } catch {
    return undefined; // half-written by an interrupted build; the addon is then one of unknown origin
  }
}
