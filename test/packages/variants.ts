import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { manifest } from '../../scripts/packages/checkout.mjs';
import { platformFields } from '../../scripts/packages/platform-fields.mjs';
import { stagePlugin } from '../../scripts/packages/stage-plugin.mjs';
import { libtorchPin } from '../../src/engine/libtorch/libtorch-pin.js';
import { thisMachine } from '../../src/engine/platform/machine.js';
import {
  addonPackage,
  libtorchPackage,
  platformOf,
  prebuiltKey,
  prebuiltPlatforms,
} from '../../src/engine/platform/prebuilt.js';
import { compileLibrary } from '../engine/device/stub-library.js';
import type { Machine } from '../../src/engine/platform/machine.js';

/** The version after the one of this checkout, of the same length. */
export const nextVersion = manifest.version.replace(/\d$/, (digit: string) =>
  String((Number(digit) + 1) % 10),
);

type Edit = (content: string) => string;

/** The tarball of a package in their folder. */
export const tarballOf = (tarballs: string, name: string, version: string = manifest.version): string =>
  path.join(tarballs, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
const identifier = (version: string) => `adaptive_trainer_${version.replaceAll(/[.-]/g, '_')}`;

/** Stand-ins for the packages of other platforms, and the main package that names them as a release does. */
export function packWithAllPlatforms(tarballs: string, into: string): string[] {
  const others = prebuiltPlatforms
    .map((name) => ({ platform: name.split('-')[0], arch: name.split('-')[1] }) as Machine)
    .filter((machine) => platformOf(machine) !== platformOf(thisMachine()));
  const optional = others.flatMap((machine) => [
    { name: addonPackage(machine), version: manifest.version, ...platformFields(machine) },
    { name: libtorchPackage(machine), version: libtorchPin.version, ...platformFields(machine) },
  ]);
  const stubs = optional.map((one) => packStub(one, path.join(into, one.name)));
  const main = repack(tarballOf(tarballs, 'adaptive-trainer'), path.join(into, 'main'), {
    'package.json': (content) => {
      const parsed = JSON.parse(content) as { optionalDependencies: Record<string, string> };
      for (const { name, version } of optional) parsed.optionalDependencies[name] = version;
      return JSON.stringify(parsed);
    },
  });
  return [main, ...stubs];
}

/**
 * Another version of the main package and the addon: the same but for the version, which the addon gives to libtorch's
 * operators.
 */
export function packNextVersion(tarballs: string, into: string): string[] {
  const [addon, here] = [addonPackage(thisMachine()), manifest.version];
  const renamed =
    (from: string, to: string): Edit =>
    (content) =>
      content.replaceAll(from, to);
  const manifestOf: Edit = (content) =>
    content
      .replace(`"version": "${here}"`, `"version": "${nextVersion}"`)
      .replace(`"${addon}": "${here}"`, `"${addon}": "${nextVersion}"`);
  const place = `prebuilds/${prebuiltKey(thisMachine(), libtorchPin.version)}`;
  return [
    repack(tarballOf(tarballs, 'adaptive-trainer'), path.join(into, 'main'), {
      'package.json': manifestOf,
    }),
    repack(tarballOf(tarballs, addon), path.join(into, 'addon'), {
      'package.json': manifestOf,
      [`${place}/adaptive_trainer.build.json`]: renamed(here, nextVersion),
      [`${place}/adaptive_trainer.node`]: renamed(identifier(here), identifier(nextVersion)),
    }),
  ];
}

function packStub(content: { name: string; version: string }, folder: string): string {
  mkdirSync(path.join(folder, 'package'), { recursive: true });
  writeFileSync(path.join(folder, 'package', 'package.json'), JSON.stringify(content));
  return pack(folder);
}

/**
 * The addon's package with a plugin beside the addon, which a machine without CUDA's compiler cannot build: libraries of a line that
 * go the way of the real ones.
 */
export function packWithPlugin(tarballs: string, into: string, libtorchVersion: string): string {
  const built = path.join(into, 'built');
  const folder = path.join(into, 'addon');
  for (const made of [built, folder]) mkdirSync(made, { recursive: true });
  const { version } = manifest;
  for (const name of ['cuda', 'nccl'])
    compileLibrary(built, `adaptive_trainer_${name}.so`, `int adaptive_trainer_${name};`);
  const about = { version, libtorchVersion, cuda: '13.0' };
  writeFileSync(path.join(built, 'adaptive_trainer_cuda.build.json'), JSON.stringify(about));
  execFileSync('tar', ['-xzf', tarballOf(tarballs, addonPackage(thisMachine())), '-C', folder]);
  const target = path.join(folder, 'package', 'prebuilds', prebuiltKey(thisMachine(), libtorchVersion));
  stagePlugin(built, target, about);
  return pack(folder);
}

/** A tarball with some of its files edited, byte by byte. */
function repack(tarball: string, folder: string, edits: Record<string, Edit>): string {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', folder]);
  for (const [name, edit] of Object.entries(edits)) {
    const file = path.join(folder, 'package', name);
    writeFileSync(file, Buffer.from(edit(readFileSync(file, 'latin1')), 'latin1'));
  }
  return pack(folder);
}

function pack(folder: string): string {
  const tarball = `${folder}.tgz`;
  execFileSync('tar', ['-czf', tarball, '-C', folder, 'package']);
  return tarball;
}
