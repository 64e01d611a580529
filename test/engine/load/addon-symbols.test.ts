import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { neededVersions, tooNew } from '../../../scripts/packages/elf-versions.mjs';
import { packageRoot } from '../../../src/common/package-root.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';

const built = path.join(packageRoot, 'build', 'Release');
const addon = path.join(built, 'adaptive_trainer.node');

describe.runIf(process.platform === 'linux' && existsSync(addon))('the addon on an old Linux', () => {
  // A name here needs a stand-in: native/compat/old_glibc.cpp says how.
  test.each(['adaptive_trainer.node', 'adaptive_trainer_preload.node', 'adaptive_trainer_ranks.node'])(
    '%s asks for no symbol that is newer than what libtorch itself needs',
    (name) => expect(tooNew(path.join(built, name))).toEqual([]),
  );

  test('the limits are those of libtorch', () => {
    const c10 = path.join(findLibtorch().libDir, 'libc10.so');
    expect([...neededVersions(c10).keys()]).toContain('GLIBCXX_3.4.22');
    expect(tooNew(c10)).toEqual([]);
  });

  test('what is too new is named', () => {
    expect(tooNew(addon, { GLIBC: '2.2.5' })).toContain('expf (GLIBC_2.27, at most GLIBC_2.2.5)');
  });

  test('shares libstdc++ with libtorch, so that exceptions cross, and knows no folder of the machine that built it', () => {
    const needed = [...neededVersions(addon)].filter(([version]) => version.startsWith('GLIBCXX'));
    expect(needed.length).toBeGreaterThan(0);
    const content = readFileSync(addon);
    for (const folder of [packageRoot, findLibtorch().root]) expect(content.includes(folder)).toBe(false);
  });
});
