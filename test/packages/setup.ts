import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout, manifest } from '../../scripts/packages/checkout.mjs';
import { pluginFault } from '../../scripts/packages/stage-plugin.mjs';
import { addonFileName } from '../../src/engine/load/find-addon.js';
import { readAddonBuild } from '../../src/engine/load/read-addon-build.js';
import { thisMachine } from '../../src/engine/platform/machine.js';
import { addonPackage } from '../../src/engine/platform/prebuilt.js';
import { hasCompiler } from '../engine/device/stub-library.js';
import { packDependencies, startRegistry } from './registry.js';
import { fetchTools } from './tools.js';
import { packNextVersion, packWithAllPlatforms, packWithPlugin, tarballOf } from './variants.js';
import type { Tool } from './tools.js';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of a registry that has the packages and what they depend on. */
    registry: string;
    /** The folder of the tarballs of the packages. */
    tarballs: string;
    /** The package of the addon with the kernels for CUDA: as it is packed, where they are built here, else with some of a line; empty: none. */
    withPlugin: string;
    /** The program of npm. */
    npm: string;
    /** Other package managers and versions of Node, as far as they could be fetched. */
    tools: Partial<Record<Tool, string>>;
  }
}

/** Packs everything once and serves it to all tests. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const temporary = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-packages-')));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = temporary;
  const addon = {
    version: manifest.version,
    libtorchVersion: readAddonBuild(path.join(checkout, 'build', 'Release', addonFileName))!.libtorchVersion,
  };
  const hasPlugin = pluginFault(path.join(checkout, 'build', 'cuda'), addon) === undefined;
  const pack = [path.join(checkout, 'scripts/packages/pack-all.mjs'), ...(hasPlugin ? ['--cuda'] : [])];
  execFileSync(process.execPath, pack, { stdio: 'inherit' });
  const tarballs = path.join(checkout, 'build', 'packages');
  const registry = await startRegistry();
  const ours = readdirSync(tarballs).filter((name) => name.endsWith('.tgz'));
  for (const tarball of [
    ...ours.map((name) => path.join(tarballs, name)),
    ...packWithAllPlatforms(tarballs, path.join(temporary, 'all')),
    ...packNextVersion(tarballs, path.join(temporary, 'next')),
    ...packDependencies(path.join(temporary, 'dependencies')),
  ]) {
    registry.add(tarball);
  }
  provide('registry', registry.url);
  provide('tarballs', tarballs);
  const withStub = () => packWithPlugin(tarballs, path.join(temporary, 'plugin'), addon.libtorchVersion);
  const packed = tarballOf(tarballs, addonPackage(thisMachine()));
  provide('withPlugin', hasPlugin ? packed : hasCompiler ? withStub() : '');
  provide('npm', npmProgram());
  provide('tools', fetchTools(npmProgram()));
  return async () => {
    await registry.close();
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(temporary, { recursive: true, force: true });
  };
}

function npmProgram(): string {
  const beside = path.join(path.dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
  const program = [process.env['npm_execpath'], beside].find((file) => file && existsSync(file));
  if (program === undefined) throw new Error('Expected npm beside Node. Run `npm run test:packages`.');
  return program;
}
