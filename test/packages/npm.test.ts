import { readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { thisMachine } from '../../src/engine/platform/machine.js';
import { addonPackage, libtorchPackage, platformOf } from '../../src/engine/platform/prebuilt.js';
import { resolutions, settings, typeErrors } from '../consumer/type-check.js';
import { linkTypes } from './link-types.js';
import { Project, trained, trainingProgram } from './projects.js';

const machine = thisMachine();
const project = new Project();
const modules = path.join(project.dir, 'node_modules');
const folderOf = (name: string) => path.join(modules, name);

beforeAll(async () => {
  await project.npm('install', '--package-lock-only', 'adaptive-trainer');
  await project.npm('ci');
  project.placeModel();
});

describe('npm ci from a lock file, with nothing but Node and without install scripts', () => {
  it('brings the library, and the binaries of this platform alone', () => {
    const scope = readdirSync(path.join(modules, '@adaptive-trainer')).sort();
    expect(scope).toEqual([`libtorch-${platformOf(machine)}-cpu`, platformOf(machine)].sort());
  });

  it('brings no package that wants to run a script, and no tool that builds', () => {
    const lock = readFileSync(path.join(project.dir, 'package-lock.json'), 'utf8');
    expect(lock).not.toContain('hasInstallScript');
    const names = readdirSync(modules);
    for (const tool of ['cmake-js', 'node-addon-api', 'node-api-headers', 'typescript'])
      expect(names).not.toContain(tool);
  });

  it('trains, as an ES module', async () => {
    expect(await project.program('train.mjs', trainingProgram.module)).toContain(trained);
  });

  it('trains, as CommonJS, without a warning', async () => {
    expect((await project.program('train.cjs', trainingProgram.commonjs)).trim()).toBe(trained);
  });

  it('is one module, whichever way it is asked for', async () => {
    const code = `const library = require('adaptive-trainer');
      import('adaptive-trainer').then((other) => console.log(library.AdaptiveTrainer === other.AdaptiveTrainer));`;
    expect(await project.program('both.cjs', code)).toBe('true\n');
  });

  it('loads few files when it is imported, and no library that only some programs need', async () => {
    const hooks = `let port;
      export function initialize(data) { port = data.port; }
      export function load(url, context, next) { port.postMessage(url); return next(url, context); }`;
    const code = `import { register, createRequire } from 'node:module';
      import { MessageChannel } from 'node:worker_threads';
      const { port1, port2 } = new MessageChannel();
      const urls = [];
      port1.on('message', (url) => urls.push(url));
      const source = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)});
      register(source, { data: { port: port2 }, transferList: [port2] });
      await import('adaptive-trainer');
      await new Promise((resolve) => setTimeout(resolve, 200));
      const files = [...urls, ...Object.keys(createRequire(import.meta.url).cache)];
      console.log(JSON.stringify(files.filter((file) => !file.startsWith('node:'))));
      process.exit();`;
    const files = JSON.parse(await project.program('count.mjs', code)) as string[];
    expect(files.length).toBeGreaterThan(1);
    // What the library always needs is one file; what it shares with the commands is cut by what each loads on demand.
    expect(files.length).toBeLessThan(70);
    const heavy =
      /node_modules\/(@huggingface\/hub|hyparquet|csv-parse|yaml|yauzl|@uwdata|hash-wasm|tinyglobby|proper-lockfile)/;
    expect(files.filter((file) => heavy.test(file))).toEqual([]);
  });

  it('has a command that trains and generates', async () => {
    const row = JSON.stringify({ prompt: 'What is red?', response: 'Red is a colour.' });
    project.write('rows.jsonl', `${row}\n`.repeat(8));
    const config = {
      ...{ model_name: 'model', output_dir: 'from-cli', datasets_config: { attention: ['rows.jsonl'] } },
      training_config: { max_steps: 2, gradient_accumulation_steps: 1 },
    };
    project.write('config.json', JSON.stringify(config));
    const command = path.join(modules, '.bin', 'adaptive-trainer');
    const ran = await project.node([command, 'train', 'config.json']);
    expect(ran).toMatchObject({ status: 0 });
    const generated = await project.node([command, 'generate', 'from-cli/final_model', 'What is red?']);
    expect(generated).toMatchObject({ status: 0 });
  });

  it('needs no home to write to', async () => {
    const env = { HOME: project.write('a-file', '') };
    expect(await project.program('train.mjs', trainingProgram.module, env)).toContain(trained);
  });
});

describe('TypeScript, strict and checking declarations', () => {
  const types = `import { AdaptiveTrainer, AdaptiveTrainerError, type TokenBatch, type TokenStatisticsArrays } from 'adaptive-trainer';
    export class FocalTrainer extends AdaptiveTrainer {
      protected override tokenWeights({ confidence }: TokenStatisticsArrays, { labels }: TokenBatch) {
        return confidence.map((p) => (1 - p) ** 2 / labels.length);
      }
    }
    export function faults(error: unknown): readonly { path: string }[] {
      return AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID') ? error.details.faults : [];
    }
    export const wrong: string = AdaptiveTrainerError.isInstance(1);
  `;

  it.each(['main.mts', 'main.cts'])('%s compiles with node16, nodenext and bundler', (name) => {
    linkTypes(project.dir);
    project.write(name, types);
    for (const resolution of Object.keys(resolutions) as (keyof typeof resolutions)[]) {
      const found = typeErrors(project.dir, [name], settings(resolution));
      expect(found, resolution).toEqual([
        expect.stringContaining("Type 'boolean' is not assignable to type 'string'"),
      ]);
    }
  });
});

describe('an installation that is not whole', () => {
  const train = () => project.node([path.join(project.dir, 'train.mjs')]);
  const [libtorch, addon] = [libtorchPackage(machine), addonPackage(machine)];
  const damage = {
    [libtorch]: 'lib/libtorch_cpu.so',
    [addon]: path.join('prebuilds', 'KEY', 'adaptive_trainer.node'),
  };

  it.each([libtorch, addon])('%s cut short is named, and mended as the message says', async (name) => {
    const folder = folderOf(name);
    const key = name === addon ? readdirSync(path.join(folder, 'prebuilds'))[0]! : '';
    truncateSync(path.join(folder, damage[name]!.replace('KEY', key)), 500_000);
    const { status, output } = await train();
    expect(status).toBe(1);
    expect(output).toMatch(/LIBTORCH_BROKEN|ADDON_UNLOADABLE/);
    expect(output).toContain(`delete the folder ${folder} and run \`npm install\` again`);
    rmSync(folder, { recursive: true });
    await project.npm('install');
    expect((await train()).output).toContain(trained);
  });

  it('optional packages left out: the cause, and what brings them', async () => {
    rmSync(modules, { recursive: true });
    await project.npm('ci', '--omit=optional');
    const { status, output } = await train();
    expect(status).toBe(1);
    expect(output).toContain('ADDON_NOT_BUILT');
    expect(output).toContain(`${addon} is not installed: optional dependencies were left out`);
    expect(output).toContain('`npm install --include=optional`');
    await project.npm('install', '--include=optional');
    expect((await train()).output).toContain(trained);
  });

  it('`adaptive-trainer build` looks for tools before it fetches anything, and knows what else it lacks', async () => {
    const command = path.join(modules, '.bin', 'adaptive-trainer');
    const without = await project.node([command, 'build']);
    expect(without).toMatchObject({ status: 1, output: expect.stringContaining('lacks: cmake, g++, make') });
    const { output } = await project.node([command, 'build'], { PATH: process.env['PATH'] });
    expect(output).toMatch(/Expected the package @adaptive-trainer\/source/);
    expect(readdirSync(path.join(project.dir, 'home'))).not.toContain('.cache/adaptive-trainer/libtorch');
  });
});
