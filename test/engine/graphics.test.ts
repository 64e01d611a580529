import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeGraphics, seenGraphics } from '../../src/engine/platform/graphics.js';
import { tempDir } from '../helpers/temp-dir.js';

const versions = {
  open: 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@x)  Sun Jul 27\nGCC version: 12.2.0\n',
  closed: 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n',
};

/** A machine's proc and dev. */
function machine(version: string | undefined, devices: string[]): string {
  const root = tempDir();
  mkdirSync(join(root, 'dev'));
  for (const name of devices) writeFileSync(join(root, 'dev', name), '');
  if (version !== undefined) {
    mkdirSync(join(root, 'proc/driver/nvidia'), { recursive: true });
    writeFileSync(join(root, 'proc/driver/nvidia/version'), version);
  }
  return root;
}

describe('what a machine says of its GPUs', () => {
  it.each([
    [
      'two cards',
      machine(versions.open, ['nvidia0', 'nvidia1', 'nvidiactl', 'null']),
      'NVIDIA driver 580.65.06 with 2 devices',
    ],
    ['the closed driver', machine(versions.closed, ['nvidia0']), 'NVIDIA driver 535.183.01 with 1 device'],
    [
      'a container that was given no device',
      machine(versions.open, []),
      'NVIDIA driver 580.65.06 without a device that this process sees',
    ],
    ['a device without a driver', machine(undefined, ['nvidia0']), "nvidia0 without NVIDIA's driver"],
    ['an AMD card', machine(undefined, ['kfd']), 'an AMD device'],
    ['neither', machine(undefined, ['null']), 'no GPU'],
    ['no /dev at all', join(tempDir(), 'none'), 'no GPU'],
  ])('%s', (_what, root, text) => {
    expect(describeGraphics(seenGraphics(root))).toBe(text);
  });
});
