import type { Machine } from './machine.js';

/** Platforms that packages with binaries are made for. */
export const prebuiltPlatforms = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'] as const;

/** Those whose package has the kernels for CUDA as well. */
export const cudaPlatforms = ['linux-x64'] as const;

/** The oldest glibc that libtorch, and with it the addon, loads with. */
export const oldestGlibc = '2.28';

/** A platform as packages are named after it, for example `linux-x64`. */
export function platformOf({ platform, arch }: Machine): string {
  return `${platform}-${arch}`;
}

/** The npm package with the addon of a platform. */
export function addonPackage(machine: Machine): string {
  return `@adaptive-trainer/${platformOf(machine)}`;
}

/** The npm package with libtorch for a platform, as it computes on the CPU. */
export function libtorchPackage(machine: Machine): string {
  return `@adaptive-trainer/libtorch-${platformOf(machine)}-cpu`;
}

/** The npm package with the sources of the addon and the tools that build it. */
export const sourcePackage = '@adaptive-trainer/source';

/**
 * What tells one build of the addon from another, for example `linux-x64-glibc-libtorch2.13`: platform, architecture, C library
 * and release of libtorch. CPU and CUDA builds of one release take the same addon.
 */
export function prebuiltKey(machine: Machine, libtorchVersion: string): string {
  const libc = machine.libc === undefined ? '' : `-${machine.libc}`;
  return `${platformOf(machine)}${libc}-libtorch${libtorchRelease(libtorchVersion)}`;
}

/** `2.13` of `2.13.0+cpu`: C++ symbols may change with a minor release, not with a patch. */
export function libtorchRelease(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
