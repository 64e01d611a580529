import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';

const run = promisify(execFile);

/** What a program printed, and how it ended. */
export interface Outcome {
  status: number;
  output: string;
}

/** A folder on its own with a package.json, in which programs find nothing of this machine but Node. */
export class Project {
  readonly dir = realpathSync(tempDir());
  readonly env: NodeJS.ProcessEnv;

  constructor(manifest: object = {}, node: string = process.execPath) {
    const bin = path.join(this.dir, 'only-node');
    const home = path.join(this.dir, 'home');
    for (const folder of [bin, home]) mkdirSync(folder);
    symlinkSync(node, path.join(bin, 'node'));
    this.env = { PATH: bin, HOME: home, npm_config_registry: inject('registry'), HF_HUB_OFFLINE: '1' };
    // Other folders than the user's, also for what package managers keep.
    const cache = {
      npm_config_cache: path.join(this.dir, 'npm-cache'),
      YARN_CACHE_FOLDER: path.join(this.dir, 'yarn'),
    };
    Object.assign(this.env, cache, { npm_config_update_notifier: 'false', TMPDIR: process.env['TMPDIR'] });
    this.write(
      'package.json',
      JSON.stringify({ name: 'consumer', version: '1.0.0', type: 'module', ...manifest }),
    );
  }

  write(name: string, content: string): string {
    const file = path.join(this.dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Runs Node with these arguments. */
  node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return this.run(path.join(this.dir, 'only-node', 'node'), args, env);
  }

  /** Runs any program in the folder. */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const options = {
      cwd: this.dir,
      env: { ...this.env, ...env },
      maxBuffer: 1e8,
      timeout: 240_000,
      killSignal: 'SIGKILL' as const,
    };
    try {
      const { stdout, stderr } = await run(program, [...args], options);
      return { status: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code: number; stdout: string; stderr: string };
      return {
        status: code,
        output: `${stdout}${stderr}${stdout === '' && stderr === '' ? String(error) : ''}`,
      };
    }
  }

  /** Runs npm, with install scripts off. Throws what it printed where it failed. */
  async npm(...args: string[]): Promise<string> {
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
    const { status, output } = await this.node([inject('npm'), ...args, ...quiet]);
    if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${output}`);
    return output;
  }

  /** Runs a program that must succeed. Returns what it printed. */
  async program(name: string, code: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { status, output } = await this.node([this.write(name, code)], env);
    if (status !== 0) throw new Error(`${name}: ${output}`);
    return output;
  }

  /** Puts a tiny model with a tokenizer into the folder `model`. */
  placeModel(): void {
    const model = writeTinyModel(path.join(this.dir, 'model'), { vocab_size: 4096 });
    for (const file of ['tokenizer.json', 'chat_template.jinja', 'tokenizer_config.json'])
      copyFileSync(path.join(seedDir, file), path.join(model, file));
  }
}

const body = `
class WatchedTrainer extends AdaptiveTrainer {
  losses = [];
  onStepEnd(event) { this.losses.push(event.loss); }
}
async function main() {
  const model = await CausalLM.fromPretrained('model');
  const tokenizer = await Tokenizer.fromPretrained('model');
  const chat = [{ role: 'user', content: 'What is red?' }, { role: 'assistant', content: 'Red is a colour.' }];
  const row = { ...encodeChat(tokenizer, chat), learningStyle: 'attention' };
  const args = { batchSize: 1, gradientAccumulationSteps: 1, maxSteps: 20, learningRate: 0.01 };
  const trainer = new WatchedTrainer({ model, tokenizer, trainDataset: [row], args });
  await trainer.train();
  await trainer.saveModel('trained');
  const { losses } = trainer;
  console.log(JSON.stringify({ steps: losses.length, fell: losses.at(-1) < losses[0] / 2 }));
}`;

const names = 'AdaptiveTrainer, CausalLM, Tokenizer, encodeChat';

/** Trains twenty steps with a trainer of its own, as an ES module or as CommonJS. It prints `trained`. */
export const trainingProgram = {
  module: `import { ${names} } from 'adaptive-trainer';\n${body}\nawait main();\n`,
  commonjs: `const { ${names} } = require('adaptive-trainer');\n${body}\nvoid main();\n`,
};

/** What that program prints. */
export const trained = '{"steps":20,"fell":true}';
