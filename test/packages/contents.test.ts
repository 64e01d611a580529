import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { publint } from 'publint';
import { describe, expect, inject, it } from 'vitest';
import { inlined } from '../../scripts/packages/bundle.mjs';
import { checkout, manifest } from '../../scripts/packages/checkout.mjs';
import { rollupTypes } from '../../scripts/packages/rollup-types.mjs';
import { libtorchPin } from '../../src/engine/libtorch/libtorch-pin.js';
import { thisMachine } from '../../src/engine/platform/machine.js';
import { addonPackage, libtorchPackage, sourcePackage } from '../../src/engine/platform/prebuilt.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tarballOf } from './variants.js';

const machine = thisMachine();
const fileOf = (name: string, version?: string) => tarballOf(inject('tarballs'), name, version);
const main = fileOf('adaptive-trainer');
const libtorch = fileOf(libtorchPackage(machine), libtorchPin.version);

interface Packed extends Record<string, unknown> {
  readonly dependencies?: Record<string, string>;
}

function packed(tarball: string): { files: string[]; manifest: Packed } {
  const tar = (...args: string[]) => execFileSync('tar', [...args], { encoding: 'utf8' });
  const files = tar('-tzf', tarball).trim().split('\n');
  return {
    files: files.map((name) => name.replace('package/', '')).sort(),
    manifest: JSON.parse(tar('-xzOf', tarball, 'package/package.json')) as Packed,
  };
}

describe('the main package', () => {
  const { files, manifest: own } = packed(main);

  it('holds what users need, and nothing else', () => {
    const wanted = [
      /^dist\/(library|cli|chunks)\/[\w-]+\.js$/,
      /^dist\/(index\.cjs|index\.d\.cts|library\/index\.d\.ts)$/,
      /^dist\/report\/template\.html$/,
      /^docs\/[\w-]+\.md$/,
      /^(README\.md|CHANGELOG\.md|LICENSE|NOTICE|package\.json|libtorch\.json)$/,
    ];
    expect(files.filter((name) => !wanted.some((pattern) => pattern.test(name)))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        'README.md',
        'docs/keys.md',
        'dist/cli/main.js',
        'dist/report/template.html',
        'LICENSE',
      ]),
    );
  });

  it('runs nothing at installation, and depends on no tool', () => {
    expect(own).not.toHaveProperty('scripts');
    expect(own).not.toHaveProperty('devDependencies');
    const tools = /cmake|node-addon-api|node-gyp|node-api-headers|prebuild|typescript|esbuild/;
    expect(Object.keys(own.dependencies!).filter((name) => tools.test(name))).toEqual([]);
  });

  it('needs no package that leaves out a Node which this one serves', () => {
    const { satisfies } = createRequire(inject('npm'))('semver') as {
      satisfies: (version: string, range: string) => boolean;
    };
    const lock = JSON.parse(readFileSync(path.join(checkout, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean; engines?: { node?: string } }>;
    };
    const served = ['20.19.0', '22.12.0', '23.11.0', '24.0.0', '25.0.0'];
    const own = (lock.packages['']!.engines as { node: string }).node;
    expect(served.filter((version) => !satisfies(version, own))).toEqual([]);
    const strict = Object.entries(lock.packages).flatMap(([folder, { dev, engines }]) => {
      if (dev || inlined.some((name) => folder === `node_modules/${name}`)) return [];
      const left = served.filter((version) => !satisfies(version, engines?.node ?? '*'));
      return left.map((version) => `${folder}: ${version}`);
    });
    expect(strict).toEqual([]);
  });

  it('says where it comes from, and names the binaries of this platform', () => {
    expect(own).toMatchObject({
      repository: { url: expect.stringMatching(/^git\+https:/) },
      keywords: expect.arrayContaining(['fine-tuning']),
      publishConfig: { access: 'public', provenance: true },
      optionalDependencies: {
        [addonPackage(machine)]: manifest.version,
        [libtorchPackage(machine)]: libtorchPin.version,
      },
    });
  });

  it('passes publint', async () => {
    const { messages } = await publint({
      pack: { tarball: new Uint8Array(readFileSync(main)).buffer },
      strict: true,
    });
    expect(messages).toEqual([]);
  });

  it('passes attw: types fit for every way to import it', () => {
    const program = path.join(checkout, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    expect(execFileSync(process.execPath, [program, main], { encoding: 'utf8' })).toContain(
      'No problems found',
    );
  });

  it('has the public surface of the report; `npm run api` writes it anew', () => {
    const dir = tempDir();
    rollupTypes({ report: dir });
    const name = 'adaptive-trainer.api.md';
    expect(readFileSync(path.join(dir, name), 'utf8')).toBe(
      readFileSync(path.join(checkout, 'test/packages', name), 'utf8'),
    );
  });
});

describe('the packages of binaries', () => {
  const os = {
    os: [machine.platform],
    cpu: [machine.arch],
    ...(machine.libc ? { libc: [machine.libc] } : {}),
  };

  it('the addon, under a key of platform, architecture, C library and release of libtorch', () => {
    const { files, manifest: own } = packed(fileOf(addonPackage(machine)));
    const key = /^prebuilds\/(linux-\w+-glibc|darwin-arm64|win32-x64)-libtorch2\.\d+\/adaptive_trainer/;
    const rest = files.filter((name) => !key.test(name));
    expect(rest).toEqual(['LICENSE', 'NOTICE', 'README.md', 'package.json']);
    expect(own).toMatchObject({ ...os, version: manifest.version });
    expect(own).not.toHaveProperty('scripts');
  });

  it('libtorch: its libraries, their sizes and its license', () => {
    const { files, manifest: own } = packed(libtorch);
    const rest = files.filter((name) => !/^(lib\/lib(c10|torch|torch_cpu|gomp)\b|licenses\/)/.test(name));
    if (machine.platform === 'linux')
      expect(rest).toEqual(['LICENSE', 'README.md', 'manifest.json', 'package.json']);
    expect(own).toMatchObject({ ...os, version: libtorchPin.version });
    expect(own).not.toHaveProperty('scripts');
  });

  it('the sources, with the tools that build them', () => {
    const { files, manifest: own } = packed(fileOf(sourcePackage));
    const rest = files.filter((name) => !/^native\/.*\.(cpp|h)$/.test(name));
    expect(rest).toEqual(['CMakeLists.txt', 'LICENSE', 'NOTICE', 'README.md', 'package.json']);
    expect(Object.keys(own.dependencies!)).toEqual(['cmake-js', 'node-addon-api', 'node-api-headers']);
  });
});
