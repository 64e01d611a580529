import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** What this machine says of its GPUs, without a library of theirs. */
export interface Graphics {
  /** Of NVIDIA's kernel driver, for example `580.65.06`; undefined: none is loaded. */
  readonly driver?: string;
  /** NVIDIA's devices under /dev: `nvidia0`, … */
  readonly devices: readonly string[];
  /** Whether there is the device of AMD's driver. */
  readonly amd: boolean;
}

/** @param root the folder that holds proc and dev; another in tests */
export function seenGraphics(root = '/'): Graphics {
  const about = textOf(path.join(root, 'proc/driver/nvidia/version')) ?? '';
  const driver = /NVRM version:.*?\s(\d+\.[\d.]+)\s/.exec(about)?.[1];
  let names: string[] = [];
  try {
    names = readdirSync(path.join(root, 'dev'));
  } catch {
    // No /dev, no devices in it.
  }
  return {
    ...(driver === undefined ? {} : { driver }),
    devices: names.filter((name) => /^nvidia\d+$/.test(name)).sort(),
    amd: names.includes('kfd'),
  };
}

/** `NVIDIA driver 580.65.06 with 2 devices`, or that there is none. */
export function describeGraphics({ driver, devices, amd }: Graphics): string {
  const found: string[] = [];
  if (driver !== undefined) {
    const count = devices.length;
    found.push(
      `NVIDIA driver ${driver} ${count === 0 ? 'without a device that this process sees' : `with ${count} device${count > 1 ? 's' : ''}`}`,
    );
  } else if (devices.length > 0) {
    found.push(`${devices.join(' ')} without NVIDIA's driver`);
  }
  if (amd) found.push('an AMD device');
  return found.length === 0 ? 'no GPU' : found.join('; ');
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
