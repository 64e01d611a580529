// What `npm install` runs in a checkout: compiles the TypeScript and builds the addon. Packages have no such script.
//   node scripts/install.mjs             everything
//   node scripts/install.mjs --rebuild   the TypeScript only where it is old, and never stopped by errors in it
//   ADAPTIVE_TRAINER_SKIP_BUILD=1        only the TypeScript
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const builder = path.join(root, 'dist', 'engine', 'build', 'build-addon.js');
const rebuild = process.argv.includes('--rebuild');

/** A failure whose message is all there is to say: no stack trace is printed. */
class InstallError extends Error {}

const say = (text) => console.log(`adaptive-trainer: ${text}`);

function compileTypeScript() {
  if (rebuild && existsSync(builder) && isNewer(builder, path.join(root, 'src', 'engine'))) return;
  let tsc;
  try {
    tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    throw new InstallError(
      'Expected TypeScript in node_modules to compile this checkout, but it is not installed. ' +
        'Run `npm install` without --omit=dev.',
    );
  }
  // An incremental compile believes its record, even where the output has been deleted.
  if (!existsSync(builder)) rmSync(path.join(root, 'build', 'tsconfig.tsbuildinfo'), { force: true });
  say('compiling TypeScript');
  const { status, signal, error } = spawnSync(
    process.execPath,
    [tsc, '-p', path.join(root, 'tsconfig.build.json')],
    { cwd: root, stdio: 'inherit' },
  );
  // The template of the report, which no C++ needs.
  if (!rebuild)
    spawnSync(process.execPath, [path.join(root, 'scripts', 'build-page.mjs')], {
      cwd: root,
      stdio: 'inherit',
    });
  if (status === 0) return;
  const message = `Compiling TypeScript failed (${error?.message ?? signal ?? `exit status ${status}`}).`;
  // tsc writes its output in spite of type errors; they need not keep anyone from building the C++.
  if (!rebuild || !existsSync(builder)) throw new InstallError(message);
  say(`warning: ${message} Building the addon all the same.`);
}

function isNewer(file, folder) {
  const newest = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  return statSync(file).mtimeMs >= Math.max(0, ...newest);
}

async function main() {
  compileTypeScript();
  if (process.env.ADAPTIVE_TRAINER_SKIP_BUILD === '1') {
    say('not looking for libtorch and not building the addon, as ADAPTIVE_TRAINER_SKIP_BUILD=1 asks.');
    return;
  }
  const { buildAddon } = await import('../dist/engine/build/build-addon.js');
  const { progressPrinter } = await import('../dist/common/progress-printer.js');
  await buildAddon({ onNote: say, onProgress: progressPrinter(process.stdout) });
}

try {
  await main();
} catch (error) {
  const known = error instanceof InstallError || error?.code !== undefined;
  console.error(`\nadaptive-trainer: installation failed.\n${known ? error.message : error.stack}`);
  process.exitCode = 1;
}
