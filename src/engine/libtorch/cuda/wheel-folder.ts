import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { compare } from '@renovatebot/pep440';
import { AdaptiveTrainerError } from '../../../errors.js';
import { thisMachine } from '../../platform/machine.js';
import { libtorchRelease } from '../../platform/prebuilt.js';
import { allows, type Requirement } from './requirement.js';
import { fitsMachine, parseWheelName, type WheelName } from './wheel.js';

/** Wheels in a folder. */
export interface FolderWheel extends WheelName {
  readonly file: string;
}

/** @throws AdaptiveTrainerError IO_FAILED where the folder cannot be read */
export async function wheelsIn(folder: string): Promise<FolderWheel[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Expected a folder with wheels in ${folder}, but it cannot be read (${(cause as NodeJS.ErrnoException).code}). ` +
        'Name the folder that `pip download` filled.',
      { details: { path: folder }, cause },
    );
  }
  return names.sort().flatMap((name) => {
    const parsed = parseWheelName(name);
    return parsed === undefined ? [] : [{ ...parsed, file: path.join(folder, name) }];
  });
}

/** The newest wheel of a folder that meets a requirement on this machine. */
export function newestIn(wheels: readonly FolderWheel[], requirement: Requirement): string | undefined {
  return wheels
    .filter((wheel) => wheel.name === requirement.name && fitsMachine(wheel, thisMachine()))
    .filter((wheel) => allows(requirement, wheel.version))
    .sort((a, b) => compare(b.version, a.version))[0]?.file;
}

/**
 * The wheel of torch for a release of libtorch, for the CPU or for CUDA: of this very version, or the newest of its release.
 * @throws AdaptiveTrainerError LIBTORCH_NOT_FOUND where there is none, LIBTORCH_WRONG_VERSION where there are others
 */
export function torchIn(
  folder: string,
  wheels: readonly FolderWheel[],
  { version, cuda }: { version: string; cuda: boolean },
): string {
  const all = wheels.filter(({ name }) => name === 'torch');
  // Only Linux has CUDA in the wheel without a mark.
  const kind = all.filter((wheel) => process.platform !== 'linux' || /\+cpu\b/.test(wheel.version) !== cuda);
  const fitting = kind.filter((wheel) => fitsMachine(wheel, thisMachine()));
  const release = fitting.filter((wheel) => libtorchRelease(wheel.version) === libtorchRelease(version));
  const exact = release.filter((wheel) => wheel.version.split('+')[0] === version);
  const chosen = (exact.length > 0 ? exact : release).sort((a, b) => compare(b.version, a.version))[0];
  if (chosen !== undefined) return chosen.file;
  const found = all.map(({ file }) => path.basename(file));
  throw new AdaptiveTrainerError(
    fitting.length > 0 ? 'LIBTORCH_WRONG_VERSION' : 'LIBTORCH_NOT_FOUND',
    `Expected a wheel of torch ${libtorchRelease(version)} ${cuda ? 'with CUDA' : 'for the CPU'} for this machine in ${folder}, found ` +
      `${found.length === 0 ? 'none of torch' : found.join(', ')}. ${downloadAdvice(folder, version, cuda)}`,
    {
      details: {
        tried: found,
        expected: libtorchRelease(version),
        fix: downloadCommand(folder, version, cuda),
      },
    },
  );
}

/** What fills a folder on a machine that has a network. */
export function downloadAdvice(folder: string, version: string, cuda: boolean): string {
  return (
    `On a machine with a network and the same kind of system and processor, run \`${downloadCommand(folder, version, cuda)}\`, and ` +
    'copy what it downloads into that folder.'
  );
}

function downloadCommand(folder: string, version: string, cuda: boolean): string {
  const local = cuda || process.platform !== 'linux' ? '' : '+cpu';
  return `python3 -m pip download --only-binary :all: --dest ${path.basename(folder)} torch==${version}${local}`;
}
