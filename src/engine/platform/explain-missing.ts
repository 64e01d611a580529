import { readdirSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../common/package-root.js';
import { addonPackage, oldestGlibc, platformOf, prebuiltPlatforms, sourcePackage } from './prebuilt.js';
import type { Machine } from './machine.js';

/** Why a machine has no binaries from npm, and what helps. */
export interface MissingBinaries {
  readonly cause: string;
  readonly fix: string;
}

const glibcSystems = 'Debian 10, Ubuntu 20.04, RHEL 8 or later';
const anImage = 'the image node:22-slim rather than node:22-alpine';
const buildIt = `install CMake, a C++20 compiler and \`npm install ${sourcePackage}\`, set LIBTORCH to a libtorch for it, and run \`npx adaptive-trainer build\``;

/** Why this machine can load no binaries that npm installs, if it cannot. */
export function unsupported(machine: Machine): MissingBinaries | undefined {
  if (machine.libc === 'musl') {
    return {
      cause: 'this Linux has musl as its C library (Alpine), and libtorch is only made for glibc',
      fix: `run it on a system with glibc: ${anImage}, or ${glibcSystems}`,
    };
  }
  if (
    machine.libc === 'glibc' &&
    machine.libcVersion !== undefined &&
    isOlder(machine.libcVersion, oldestGlibc)
  ) {
    return {
      cause: `this system's glibc is ${machine.libcVersion}, and libtorch needs ${oldestGlibc} or later`,
      fix: `run it on ${glibcSystems}, or in a container of one (node:22-slim)`,
    };
  }
  if (machine.platform === 'darwin' && machine.arch === 'x64') {
    return {
      cause: 'this Node is one for Intel Macs, for which libtorch is no longer made',
      fix: 'on Apple silicon install the arm64 Node (`node -p process.arch` then prints arm64) and run `npm ci`',
    };
  }
  if (!(prebuiltPlatforms as readonly string[]).includes(platformOf(machine))) {
    return {
      cause: `there is no package for ${platformOf(machine)}, only for ${prebuiltPlatforms.join(', ')}`,
      fix: buildIt,
    };
  }
  return undefined;
}

/** Why the package of a supported machine is not installed. */
export function explainMissing(machine: Machine, root: string = packageRoot): MissingBinaries {
  const hopeless = unsupported(machine);
  if (hopeless !== undefined) return hopeless;
  const others = installedPlatforms(root).filter((name) => name !== platformOf(machine));
  if (others.length > 0) {
    return {
      cause: `node_modules was installed for ${others.join(', ')}, and this is ${platformOf(machine)}`,
      fix: 'delete node_modules and install it on this machine: `npm ci`',
    };
  }
  return {
    cause:
      `${addonPackage(machine)} is not installed: optional dependencies were left out (--omit=optional, ` +
      '--no-optional), or a lock file was made without them',
    fix: '`npm install --include=optional`; if that changes nothing, delete node_modules and package-lock.json first',
  };
}

/** Platforms whose addon lies beside the main package. */
function installedPlatforms(root: string): string[] {
  const scope = path.join(root, '..', '@adaptive-trainer');
  try {
    const names = readdirSync(scope);
    return names.filter((name) => (prebuiltPlatforms as readonly string[]).includes(name));
  } catch {
    return [];
  }
}

function isOlder(version: string, than: string): boolean {
  const [a = [], b = []] = [version, than].map((text) => text.split('.').map(Number));
  return a[0]! !== b[0]! ? a[0]! < b[0]! : (a[1] ?? 0) < (b[1] ?? 0);
}
