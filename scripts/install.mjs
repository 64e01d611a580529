// What `npm install` runs: compiles the TypeScript of a checkout, finds or fetches libtorch, and builds the addon.
//   node scripts/install.mjs             a prebuilt addon is used where there is one
//   node scripts/install.mjs --rebuild   always builds (incrementally)
//   ADAPTIVE_TRAINER_SKIP_BUILD=1        only the TypeScript
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const addonName = 'adaptive_trainer.node';
const buildDir = path.join(root, 'build', 'addon');
const built = path.join(root, 'build', 'Release', addonName);
const prebuilt = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`, addonName);
const rebuild = process.argv.includes('--rebuild');
const require = createRequire(import.meta.url);

/** A failure whose message is all there is to say: no stack trace is printed. */
class InstallError extends Error {}

const say = (text) => console.log(`adaptive-trainer: ${text}`);

function run(command, args, what) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0)
    throw new InstallError(`${what} failed (${error?.message ?? signal ?? `exit status ${status}`}).`);
}

// ---- TypeScript -----------------------------------------------------------------------------------------------------

function compileTypeScript() {
  if (!existsSync(path.join(root, 'src'))) return;
  const setup = path.join(root, 'dist', 'engine', 'libtorch', 'setup-libtorch.js');
  if (rebuild && existsSync(setup) && isNewer(setup, path.join(root, 'src', 'engine'))) return;
  let tsc;
  try {
    tsc = require.resolve('typescript/bin/tsc');
  } catch {
    throw new InstallError(
      'Expected TypeScript in node_modules to compile this checkout, but it is not installed. ' +
        'Run `npm install` without --omit=dev.',
    );
  }
  // An incremental compile believes its record, even where the output has been deleted.
  if (!existsSync(setup)) rmSync(path.join(root, 'build', 'tsconfig.tsbuildinfo'), { force: true });
  say('compiling TypeScript');
  try {
    run(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], 'Compiling TypeScript');
  } catch (error) {
    // tsc writes its output in spite of type errors; they need not keep anyone from building the C++.
    if (!rebuild || !existsSync(setup)) throw error;
    say(`warning: ${error.message} Building the addon all the same.`);
  }
}

function isNewer(file, folder) {
  const newest = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  return statSync(file).mtimeMs >= Math.max(0, ...newest);
}

// ---- libtorch -------------------------------------------------------------------------------------------------------

async function provideLibtorch() {
  const { findLibtorch } = await import('../dist/engine/libtorch/find-libtorch.js');
  try {
    return findLibtorch({ onNote: say });
  } catch (error) {
    // A folder that was named on purpose is not replaced by a download.
    if (process.env.ADAPTIVE_TRAINER_LIBTORCH || process.env.LIBTORCH) throw error;
    say(error.code === 'LIBTORCH_NOT_FOUND' ? 'no libtorch on this machine, fetching it' : error.message);
  }
  const { setupLibtorch } = await import('../dist/engine/libtorch/setup-libtorch.js');
  const { progressPrinter } = await import('../dist/common/progress-printer.js');
  return setupLibtorch({ onProgress: progressPrinter(process.stdout) });
}

// ---- prebuilt -------------------------------------------------------------------------------------------------------

async function loads(addon, libtorch) {
  const { planAddonLoad } = await import('../dist/engine/load/plan-addon-load.js');
  const { tryAddon } = await import('../dist/engine/load/try-addon.js');
  return tryAddon(planAddonLoad(addon, libtorch));
}

/** The telling line of what the child printed; the rest is a stack trace. */
function reason({ stderr, signal, status }) {
  return /^\w*Error: .*$/m.exec(stderr)?.[0] ?? (stderr || (signal ?? `exit status ${status}`));
}

async function usePrebuilt(libtorch) {
  if (!existsSync(prebuilt)) return false;
  let why;
  try {
    const trial = await loads(prebuilt, libtorch);
    if (trial.ok) {
      say(`using the prebuilt addon ${path.relative(root, prebuilt)}`);
      return true;
    }
    why = reason(trial);
  } catch (error) {
    why = error.message;
  }
  say(`the prebuilt addon does not load here (${why}); building it instead`);
  return false;
}

// ---- build ----------------------------------------------------------------------------------------------------------

const works = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

function checkTools() {
  const missing = [];
  if (!works('cmake')) missing.push('cmake');
  if (process.platform !== 'win32') {
    if (![process.env.CXX, 'c++', 'g++', 'clang++'].some((name) => name && works(name))) missing.push('g++');
    if (!works('ninja') && !works('make')) missing.push('make');
  }
  if (missing.length === 0) return;
  throw new InstallError(
    `Building the addon needs CMake and a C++20 compiler, but this machine lacks: ${missing.join(', ')}.\n` +
      `Install them with \`${installCommand(missing)}\` and run \`npm run install\` again, ` +
      'or set ADAPTIVE_TRAINER_SKIP_BUILD=1 to install without the addon.',
  );
}

function installCommand(missing) {
  if (process.platform === 'darwin')
    return `xcode-select --install && brew install ${missing.includes('cmake') ? 'cmake' : 'make'}`;
  if (process.platform === 'win32') return 'winget install Kitware.CMake';
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  if (existsSync('/usr/bin/dnf')) return `${sudo}dnf install ${missing.join(' ').replace('g++', 'gcc-c++')}`;
  if (existsSync('/sbin/apk')) return `${sudo}apk add ${missing.join(' ')}`;
  return `${sudo}apt-get install -y ${missing.join(' ')}`;
}

function cmakeJs(command, ...args) {
  const main = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  run(
    process.execPath,
    [main, command, '--directory', root, '--out', buildDir, ...args],
    `cmake-js ${command}`,
  );
}

/** The entries of CMake's cache as they are on disk, or nothing. */
function cmakeCache() {
  const file = path.join(buildDir, 'CMakeCache.txt');
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').matchAll(/^([\w-]+):\w+=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

function build(libtorch) {
  const settings = {
    ADAPTIVE_TRAINER_LIBTORCH: libtorch.root,
    ADAPTIVE_TRAINER_CXX11_ABI: libtorch.cxx11Abi === false ? '0' : '1',
  };
  const before = cmakeCache();
  const home = before.CMAKE_HOME_DIRECTORY;
  if (home !== undefined && path.resolve(home) !== path.resolve(root)) {
    // A checkout that was moved or copied: CMake refuses a cache of another folder.
    rmSync(path.join(buildDir, 'CMakeCache.txt'));
    rmSync(path.join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
  }
  // CMake itself notices changed sources and lists; only what is passed from here needs a new configuration.
  const configured =
    home !== undefined && Object.entries(settings).every(([name, value]) => before[name] === value);
  if (!configured || !existsSync(built)) {
    cmakeJs('configure', ...Object.entries(settings).map(([name, value]) => `--CD${name}=${value}`));
  }
  // One compiler takes up to 1.5 GB on ATen's headers.
  const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2e9)));
  cmakeJs('build', '--parallel', String(jobs));
}

async function buildAddon(libtorch) {
  checkTools();
  const started = Date.now();
  say(`building the addon with libtorch ${libtorch.version} from ${libtorch.root}`);
  build(libtorch);
  const description = { libtorchRoot: libtorch.root, libtorchVersion: libtorch.version };
  writeFileSync(
    path.join(path.dirname(built), 'adaptive_trainer.build.json'),
    `${JSON.stringify(description)}\n`,
  );
  const trial = await loads(built, libtorch);
  if (!trial.ok) throw new InstallError(`The addon was built but does not load: ${reason(trial)}`);
  if (existsSync(prebuilt)) {
    // The loader would find it before the one that was just built.
    rmSync(path.dirname(prebuilt), { recursive: true });
    say(`removed ${path.relative(root, prebuilt)} in favour of it`);
  }
  say(`built ${path.relative(root, built)} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

// ---- all of it ------------------------------------------------------------------------------------------------------

async function main() {
  compileTypeScript();
  if (process.env.ADAPTIVE_TRAINER_SKIP_BUILD === '1') {
    say('not looking for libtorch and not building the addon, as ADAPTIVE_TRAINER_SKIP_BUILD=1 asks.');
    return;
  }
  const libtorch = await provideLibtorch();
  if (!rebuild && (await usePrebuilt(libtorch))) return;
  await buildAddon(libtorch);
}

try {
  await main();
} catch (error) {
  const known = error instanceof InstallError || error?.code !== undefined;
  console.error(`\nadaptive-trainer: installation failed.\n${known ? error.message : error.stack}`);
  process.exitCode = 1;
}
