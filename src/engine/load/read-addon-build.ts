import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** What an addon was built against. Whoever builds one writes it beside the addon. */
export interface AddonBuild {
  /** The version of adaptive-trainer. */
  readonly version?: string;
  /** Absent in an addon of a package: that one takes libtorch from wherever it is found. */
  readonly libtorchRoot?: string;
  readonly libtorchVersion: string;
}

/** The name of the description beside an addon. */
export const addonBuildName = 'adaptive_trainer.build.json';

/** Reads the description beside an addon, if there is one. */
export function readAddonBuild(addon: string): AddonBuild | undefined {
  const file = path.join(path.dirname(addon), addonBuildName);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as AddonBuild;
  } catch {
    return undefined; // half-written by an interrupted build; the addon is then one of unknown origin
  }
}
