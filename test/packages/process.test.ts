import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { thisMachine } from '../../src/engine/platform/machine.js';
import { libtorchPackage } from '../../src/engine/platform/prebuilt.js';
import { Project, trained, trainingProgram } from './projects.js';
import { nextVersion } from './variants.js';

const project = new Project();
const tools = inject('tools');

beforeAll(async () => {
  await project.npm('install', 'adaptive-trainer', `second@npm:adaptive-trainer@${nextVersion}`);
  project.placeModel();
  // A copy of everything, libtorch too, as a dependency that was bundled or linked has it.
  const modules = path.join(project.dir, 'node_modules');
  mkdirSync(path.join(project.dir, 'copy'));
  cpSync(modules, path.join(project.dir, 'copy', 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
});

const loss = `
  const losses = async ({ adaptiveLoss }) => {
    const { loss } = await adaptiveLoss({
      rows: 1, seq: 4, hiddenSize: 2, vocabSize: 8, topK: 2, labels: [-100, 3, 5, 1], styles: ['ideas'],
      hidden: new Float32Array(8).fill(0.5), weight: new Float32Array(16).fill(0.1),
    });
    return loss.toFixed(4);
  };`;

describe('in one process', () => {
  it('two versions, which share one libtorch', async () => {
    const code = `${loss}
      import * as first from 'adaptive-trainer';
      import * as second from 'second';
      console.log(first.AdaptiveTrainer !== second.AdaptiveTrainer, await losses(first), await losses(second), await losses(first));`;
    expect(await project.program('versions.mjs', code)).toBe('true 5.1986 5.1986 5.1986\n');
  });

  it.each([
    ['adaptive-trainer', './copy/node_modules/adaptive-trainer/dist/library/index.js'],
    ['./copy/node_modules/second/dist/library/index.js', 'adaptive-trainer'],
    ['./copy/node_modules/adaptive-trainer/dist/library/index.js', 'second'],
  ])('two copies, each with a libtorch of its own: %s, then %s', async (one, other) => {
    const code = `${loss}
      const first = await import('${one}'), second = await import('${other}');
      console.log(first.AdaptiveTrainer !== second.AdaptiveTrainer, await losses(first), await losses(second), await losses(first));`;
    expect(await project.program('copies.mjs', code)).toBe('true 5.1986 5.1986 5.1986\n');
  });

  it('worker threads at the same time, and one more on another copy', async () => {
    const code = `
      import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      const library = './node_modules/adaptive-trainer/dist/library/index.js';
      ${loss}
      const run = (from) => new Promise((resolve, reject) => {
        const worker = new Worker('${loss.replaceAll('\n', ' ').replaceAll("'", "\\'")}' +
          'import("' + from + '").then(losses).then((loss) => require("node:worker_threads").parentPort.postMessage(loss));', { eval: true });
        worker.on('message', resolve).on('error', reject);
      });
      const folder = new URL('.', import.meta.url);
      const all = await Promise.all([library, library].map((file) => run(new URL(file, folder).href)));
      const copy = await run(new URL('./copy/' + library.slice(2), folder).href);
      console.log(...all, copy, await losses(await import('adaptive-trainer')));`;
    expect(await project.program('workers.mjs', code)).toBe('5.1986 5.1986 5.1986 5.1986\n');
  });

  it('a libtorch of the user, named by LIBTORCH, wins over that of npm', async () => {
    const code = `import { readFileSync } from 'node:fs'; ${loss}
      await losses(await import('adaptive-trainer'));
      console.log(/\\S*libtorch_cpu.so/.exec(readFileSync('/proc/self/maps', 'utf8'))[0]);`;
    const mine = path.join(project.dir, 'copy', 'node_modules', libtorchPackage(thisMachine()));
    const { output } = await project.node([project.write('mine.mjs', code)], { LIBTORCH: mine });
    // Without headers it is no libtorch to build with, but one to compute with.
    expect(output.trim()).toBe(path.join(mine, 'lib', 'libtorch_cpu.so'));
  });
});

describe.each(['node22', 'node24', 'node25'] as const)('%s', (name) => {
  it.runIf(tools[name])('is served by every package, without a warning of npm', async () => {
    const own = new Project({ dependencies: { 'adaptive-trainer': '*' } }, tools[name]);
    const said = await own.npm('install', '--package-lock-only');
    expect(said).not.toMatch(/warn|EBADENGINE/i);
  });

  it.runIf(tools[name])('trains, as an ES module and as CommonJS', async () => {
    for (const [file, code] of [
      ['train.mjs', trainingProgram.module],
      ['train.cjs', trainingProgram.commonjs],
    ] as const) {
      const { status, output } = await project.run(tools[name]!, [project.write(file, code)]);
      expect({ status, output }).toEqual({ status: 0, output: `${trained}\n` });
    }
  });
});
