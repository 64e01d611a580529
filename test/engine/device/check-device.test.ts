import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDevice, type DeviceToCheck } from '../../../src/engine/device/check-device.js';
import { chooseBinaries } from '../../../src/engine/load/load-addon.js';
import { planAddonLoad } from '../../../src/engine/load/plan-addon-load.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { compileLibrary, hasCompiler } from './stub-library.js';

const { addon, libtorch } = chooseBinaries();
const plan = planAddonLoad(addon, libtorch);

/** The CPU in the place of a card, checked in a cache of its own. */
function subject(change: Partial<DeviceToCheck> = {}) {
  const cache = tempDir();
  const device = { device: 'cpu', card: ['A card', '9.0', 13000], addon: plan, libraries: [], ...change };
  const remembered = () =>
    existsSync(path.join(cache, 'devices')) ? readdirSync(path.join(cache, 'devices')).length : 0;
  return { device, env: { ADAPTIVE_TRAINER_CACHE: cache }, remembered };
}

describe('the check before a device is first used', () => {
  test('passes where the device computes what the CPU does, and is remembered by card, driver and libraries', () => {
    const { device, env, remembered } = subject();
    expect(checkDevice(device, env)).toBeUndefined();
    expect(remembered()).toBe(1);
    const node = process.execPath;
    process.execPath = '/nowhere';
    // Remembered, it needs no child.
    const again = checkDevice(device, env);
    const anew = checkDevice({ ...device, card: ['Another card', '9.0', 13000] }, env);
    process.execPath = node;
    expect(again).toBeUndefined();
    expect(anew?.found).toContain('/nowhere');
    expect(remembered()).toBe(1);
    const library = path.join(tempDir(), 'library.so');
    writeFileSync(library, 'no library');
    const changed = checkDevice({ ...device, libraries: [library] }, env);
    expect(changed).toMatchObject({ missing: 'check' });
    // What did not pass is not remembered: the next start tries again.
    expect(checkDevice({ ...device, libraries: [library] }, env)).toMatchObject({ missing: 'check' });
    expect(checkDevice({ ...device, card: ['A card', '9.0', 13010] }, env)).toBeUndefined();
    expect(remembered()).toBe(2);
  }, 60_000);

  test('says how a device fails: an error of its own, and what helps', () => {
    const { device, env, remembered } = subject({ device: 'cuda:0' });
    const fault = checkDevice(device, env)!;
    expect(fault.found).toMatch(
      /does not come out on cuda:0 .* exit status 1: .*CUDA device that libtorch sees/,
    );
    expect(fault.fix).toContain('ADAPTIVE_TRAINER_DEVICE_CHECK=off');
    expect(remembered()).toBe(0);
    expect(checkDevice(device, { ...env, ADAPTIVE_TRAINER_DEVICE_CHECK: 'off' })).toBeUndefined();
  }, 60_000);

  test.runIf(hasCompiler)(
    'a library that ends the process ends the child alone',
    () => {
      const source =
        '#include <stdlib.h>\n__attribute__((constructor)) static void loaded(void) { abort(); }';
      const library = compileLibrary(tempDir(), 'libends.so', source);
      const { device, env } = subject({ libraries: [library] });
      expect(checkDevice(device, env)?.found).toContain('SIGABRT');
    },
    60_000,
  );
});
