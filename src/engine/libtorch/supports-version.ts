import { libtorchPin } from './libtorch-pin.js';
import type { LibtorchPin } from './libtorch-pin.js';

/** Whether a libtorch version such as `2.13.0+cpu` lies in the range that libtorch.json states. */
export function supportsVersion(version: string, pin: LibtorchPin = libtorchPin): boolean {
  return compare(version, pin.oldest) >= 0 && compare(version, pin.newestBelow) < 0;
}

function compare(left: string, right: string): number {
  const [a, b] = [numbers(left), numbers(right)];
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

// Only the release counts: local tags (+cpu, +cu130) and pre-release tags (a0, rc1, .dev) are ignored.
function numbers(version: string): number[] {
  const release = /^\d+(\.\d+)*/.exec(version.trim())?.[0] ?? '0';
  return release.split('.').map(Number);
}
