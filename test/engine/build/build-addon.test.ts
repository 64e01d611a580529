import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/common/package-root.js';
import { addonSources } from '../../../src/engine/build/addon-sources.js';
import { checkTools } from '../../../src/engine/build/check-tools.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { errorOf } from '../libtorch/error-of.js';

describe('the tools that build the addon', () => {
  test('a machine without them: all that is missing, and the command that installs it', async () => {
    const error = await errorOf(() => checkTools('npx adaptive-trainer build', { PATH: '' }));
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toMatch(
      process.platform === 'win32' ? /lacks: cmake/ : /lacks: cmake, g\+\+, make/,
    );
    expect(error.message).toMatch(/Install them with `.*cmake.*` and run `npx adaptive-trainer build` again/);
    expect(error.message).toContain('Nothing was fetched');
  });

  test.runIf(process.platform === 'linux')('tools that are too old', async () => {
    const bin = tempDir();
    const tool = (name: string, script: string) => {
      writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(path.join(bin, name), 0o755);
    };
    tool('cmake', 'echo cmake version 3.10.2');
    tool('g++', '[ "$1" = --version ] && echo g++ 8.3');
    tool('make', 'echo GNU Make 4.3');
    const { message } = await errorOf(() => checkTools('retry', { PATH: bin }));
    expect(message).toContain(
      'lacks: cmake, g++ (found cmake 3.10, older than 3.18 and g++, which does not compile C++20)',
    );
  });

  test('without the sources: the package that brings them', async () => {
    const { message } = await errorOf(() => addonSources(tempDir(), tempDir()));
    expect(message).toMatch(/Expected the package @adaptive-trainer\/source/);
    expect(message).toMatch(/`npm install --save-dev @adaptive-trainer\/source@\d/);
  });

  test('a checkout brings its own', () => {
    expect(addonSources().root).toBe(packageRoot);
  });
});

describe('the install script of a checkout', () => {
  const install = (env: NodeJS.ProcessEnv) => {
    const script = path.join(packageRoot, 'scripts', 'install.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--rebuild'], {
      encoding: 'utf8',
      env: { ...process.env, CXX: '', ...env },
    });
    return { status, output: stdout + stderr };
  };

  test('says that it was told to skip the build', () => {
    const { status, output } = install({ ADAPTIVE_TRAINER_SKIP_BUILD: '1' });
    expect(output).toContain('as ADAPTIVE_TRAINER_SKIP_BUILD=1 asks');
    expect(status).toBe(0);
  });

  test('looks for tools before it fetches anything', () => {
    const cache = tempDir();
    const { status, output } = install({
      PATH: '',
      ADAPTIVE_TRAINER_SKIP_BUILD: '',
      ADAPTIVE_TRAINER_CACHE: cache,
      ADAPTIVE_TRAINER_LIBTORCH: '',
      LIBTORCH: '',
    });
    expect(status).toBe(1);
    expect(output).toContain('this machine lacks: cmake');
    expect(output).not.toContain('    at ');
    expect(readdirSync(cache)).toEqual([]);
  });
});
