import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { manifest } from '../../scripts/packages/checkout.mjs';
import { tooNew } from '../../scripts/packages/elf-versions.mjs';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { thisMachine } from '../../src/engine/platform/machine.js';
import { addonPackage } from '../../src/engine/platform/prebuilt.js';
import { stubDriver } from '../engine/device/stub-library.js';
import { tempDir } from '../helpers/temp-dir.js';
import { Project } from './projects.js';

const withPlugin = inject('withPlugin');

describe.runIf(withPlugin !== '')('the kernels for CUDA in the package of the addon', () => {
  const project = new Project();
  const folder = path.join(project.dir, 'node_modules', addonPackage(thisMachine()));
  const drivers = tempDir();
  let prebuilt: string;

  beforeAll(async () => {
    await project.npm('install', 'adaptive-trainer', withPlugin);
    project.placeModel();
    const [key] = readdirSync(path.join(folder, 'prebuilds'));
    prebuilt = path.join(folder, 'prebuilds', key!);
    const card = ['A card', 9, 0] as const;
    stubDriver(drivers, { devices: [card, card] });
  });

  /** The lines of doctor on a machine with two cards. */
  async function doctor(): Promise<(name: string) => Finding | undefined> {
    const command = path.join(project.dir, 'node_modules', '.bin', 'adaptive-trainer');
    const { output } = await project.node([command, 'doctor', '--json'], { LD_LIBRARY_PATH: drivers });
    const { sections } = JSON.parse(output) as { sections: { findings: Finding[] }[] };
    return (name) => sections.flatMap(({ findings }) => findings).find((one) => one.name === name);
  }

  it('are three files beside the addon, for every Linux that libtorch loads on', () => {
    const names = readdirSync(prebuilt).filter((name) => /_cuda|_nccl/.test(name));
    expect(names.sort()).toEqual([
      'adaptive_trainer_cuda.build.json',
      'adaptive_trainer_cuda.so',
      'adaptive_trainer_nccl.so',
    ]);
    for (const name of names.filter((one) => one.endsWith('.so')))
      expect(tooNew(path.join(prebuilt, name))).toEqual([]);
    // 5 MB of the 115 MB that an installation downloads: docs/packages.md.
    expect(statSync(withPlugin).size).toBeLessThan(8e6);
  });

  it('are found by whoever installs it, as doctor says', async () => {
    const named = await doctor();
    expect(named('CUDA plugin')).toMatchObject({
      state: 'ok',
      found: expect.stringMatching(/adaptive_trainer_cuda\.so, for libtorch 2\.\S+ and CUDA 13\.0$/),
    });
    expect(named('CUDA plugin')!.found).toContain(prebuilt);
    expect(named('cuda:1')).toMatchObject({ state: 'ok' });
    // The one that is left, and the one command that brings it.
    expect(named('libtorch for CUDA')).toMatchObject({
      state: 'warning',
      mend: expect.stringContaining('npx adaptive-trainer setup --cuda'),
    });
  });

  it('are all of a GPU that npm can bring: `cuda` asks for libtorch alone', async () => {
    const code = `import { CausalLM } from 'adaptive-trainer';
      const error = await CausalLM.fromPretrained('model', { device: 'cuda' }).catch((caught) => caught);
      console.log(JSON.stringify([error.code, error.details.missing]));`;
    const said = await project.program('cuda.mjs', code, { LD_LIBRARY_PATH: drivers });
    expect(JSON.parse(said)).toEqual(['DEVICE_NOT_AVAILABLE', ['libtorch']]);
  });

  it('are missed where somebody has deleted them, and what helps brings them back', async () => {
    for (const name of readdirSync(prebuilt)) if (/_cuda/.test(name)) rmSync(path.join(prebuilt, name));
    const { state, found, mend } = (await doctor())('CUDA plugin')!;
    expect(state).toBe('warning');
    expect(found).toContain(`no ${path.join(prebuilt, 'adaptive_trainer_cuda.so')}`);
    const advice = /delete the folder (\S+) and run `npm install` again/.exec(mend!);
    expect(advice?.[1]).toBe(folder);
    rmSync(folder, { recursive: true });
    await project.npm('install');
    expect((await doctor())('CUDA plugin')).toMatchObject({ state: 'ok' });
  });

  it('come without a script, in the package that npm chooses by platform', () => {
    const text = execFileSync('tar', ['-xzOf', withPlugin, 'package/package.json'], { encoding: 'utf8' });
    const own = JSON.parse(text) as Record<string, unknown>;
    expect(own).toMatchObject({ version: manifest.version, os: ['linux'], cpu: [process.arch] });
    expect(own).not.toHaveProperty('scripts');
  });
});
