import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { Project, trained, trainingProgram } from './projects.js';

const tools = inject('tools');
const dependencies = { 'adaptive-trainer': '*' };

/** Installs with another package manager, whose settings are in files; then trains. */
async function install(project: Project, program: string, ...args: string[]): Promise<void> {
  const { status, output } = await project.node([program, ...args]);
  if (status !== 0) throw new Error(output);
  project.placeModel();
}

describe('other package managers', () => {
  it.runIf(tools.pnpm)('pnpm, whose node_modules is of links', async () => {
    const project = new Project({ dependencies });
    const store = path.join(project.dir, 'store');
    project.write('.npmrc', `registry=${inject('registry')}\n`);
    // Packages that were published this minute are otherwise held back.
    project.write('pnpm-workspace.yaml', 'minimumReleaseAge: 0\n');
    await install(
      project,
      tools.pnpm!,
      'install',
      '--ignore-scripts',
      `--store-dir=${store}`,
      `--registry=${inject('registry')}`,
    );
    const modules = path.join(project.dir, 'node_modules');
    expect(lstatSync(path.join(modules, 'adaptive-trainer')).isSymbolicLink()).toBe(true);
    // The binaries are not where a project could name them, and the library finds them all the same.
    expect(readdirSync(modules)).not.toContain('@adaptive-trainer');
    expect(await project.program('train.mjs', trainingProgram.module)).toContain(trained);
  });

  it.runIf(tools.yarnClassic)('yarn 1, in a workspace, whose packages are hoisted', async () => {
    const project = new Project({ private: true, workspaces: ['app'] });
    project.write('app/package.json', JSON.stringify({ name: 'app', version: '1.0.0', dependencies }));
    const args = ['install', '--ignore-scripts', '--registry', inject('registry')];
    await install(project, tools.yarnClassic!, ...args);
    expect(readdirSync(path.join(project.dir, 'node_modules'))).toContain('adaptive-trainer');
    mkdirSync(path.join(project.dir, 'app'), { recursive: true });
    expect(await project.program('app/train.cjs', trainingProgram.commonjs)).toContain(trained);
  });

  it.runIf(tools.yarnBerry)('yarn 4, with node_modules', async () => {
    const project = new Project({ dependencies });
    const settings = [
      ...['nodeLinker: node-modules', `npmRegistryServer: "${inject('registry')}"`],
      ...['unsafeHttpWhitelist: ["127.0.0.1"]', 'enableTelemetry: false', 'enableGlobalCache: false'],
      // Packages that were published this minute are otherwise held back.
      'npmMinimalAgeGate: 0',
    ];
    project.write('.yarnrc.yml', settings.join('\n'));
    await install(project, tools.yarnBerry!, 'install', '--mode=skip-build');
    expect(await project.program('train.cjs', trainingProgram.commonjs)).toContain(trained);
  });
});
