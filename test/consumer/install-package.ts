import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A project outside of this one, in which the package is installed as npm packs it. Nothing is fetched. */
export interface Consumer {
  dir: string;
  /** Names of the files in the package. */
  files: string[];
}

/** Packs the package and installs it beside the dependencies that are here; the addon is the one that was built here. */
export function installPackage(): Consumer {
  buildIfOld();
  const dir = tempDir();
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename, files }] = JSON.parse(said) as [{ filename: string; files: { path: string }[] }];
  const modules = join(dir, 'node_modules');
  mkdirSync(join(modules, 'adaptive-trainer'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  const into = join(modules, 'adaptive-trainer');
  execFileSync('tar', ['-xzf', join(dir, filename), '--strip-components=1', '-C', into]);
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ type: 'module' }));
  return { dir, files: files.map(({ path }) => path) };
}

/** "npm test" builds before; a test that is run on its own may find an old build. */
function buildIfOld(): void {
  const times = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map(
    (name) => statSync(join(root, 'src', name)).mtimeMs,
  );
  const built = statSync(join(root, 'build/tsconfig.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Math.max(...times) > built) execFileSync('npm', ['run', 'build:ts'], { cwd: root, stdio: 'ignore' });
}

/** Runs a program in the project. Returns what it printed. */
export function runIn(dir: string, program: string, args: readonly string[] = []): string {
  return execFileSync(process.execPath, [program, ...args], {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ADAPTIVE_TRAINER_ADDON: join(root, 'build/Release/adaptive_trainer.node'),
      HF_HUB_OFFLINE: '1',
    },
  });
}

/** A tiny model with a tokenizer, under a name of the documentation. */
export function placeModel(dir: string, name: string): void {
  const model = writeTinyModel(join(dir, name), { vocab_size: 4096 });
  for (const file of ['tokenizer.json', 'chat_template.jinja', 'tokenizer_config.json'])
    copyFileSync(join(seedDir, file), join(model, file));
}

/** The code blocks of a Markdown file that are in `language`. */
export function codeBlocks(file: string, language: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...text.matchAll(fence)].map(([, code]) => code!);
}
