// The engine on a real GPU: builds the tests and benchmarks for the card that is there, runs them, prints one table, within
// ten minutes. For a bare machine: needs this checkout, Node, g++, a CUDA toolkit and a torch wheel with CUDA; no npm packages,
// no network. Without the wheel, the kernels alone are tested; without TRL, there is nothing beside which they are measured.
//   node scripts/gpu/check.mjs               builds and runs
//   node scripts/gpu/check.mjs --build-only  builds for sm_90; needs no GPU
//   node scripts/gpu/check.mjs --dry-run     prints what it would run; needs nothing
// CUDA_HOME names the toolkit, ADAPTIVE_TRAINER_LIBTORCH the wheel's torch folder, ADAPTIVE_TRAINER_PYTHON a Python with TRL.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findNvcc } from '../cuda/find-nvcc.mjs';
import { enginePrograms, kernelTests } from './build-plan.mjs';
import { measuredIn, table } from './table.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.join('build', 'gpu-check');
const options = new Set(process.argv.slice(2));
const isDry = options.delete('--dry-run');
const buildsOnly = options.delete('--build-only');
const runFile = promisify(execFile);
const end = Date.now() + 590_000;
const secondsLeft = () => Math.max(0, (end - Date.now()) / 1000);

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}
if (options.size > 0) fail(`Expected --dry-run, --build-only or nothing, found ${[...options].join(' ')}.`);

function toolkit() {
  if (isDry) return '<toolkit>';
  try {
    return findNvcc();
  } catch (error) {
    return fail(/** @type {Error} */ (error).message);
  }
}

/** Its name, and the architecture to compile for. */
function card() {
  if (isDry || buildsOnly) return { name: 'no GPU looked for', architecture: 'sm_90' };
  const query = ['--query-gpu=name,compute_cap,driver_version', '--format=csv,noheader'];
  const { stdout, error, status, stderr } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  const [first = ''] = (stdout ?? '').split('\n');
  const [name, capability, driver] = first.split(', ');
  if (status !== 0 || capability === undefined || !/^\d+\.\d$/.test(capability)) {
    const said = error?.message ?? (stderr || stdout || `exit status ${status}`).trim();
    return fail(
      `Expected an NVIDIA GPU that nvidia-smi lists, found none (${said}). Use --build-only without one.`,
    );
  }
  return { name: `${name}, driver ${driver}`, architecture: `sm_${capability.replace('.', '')}` };
}

const python = process.env['ADAPTIVE_TRAINER_PYTHON'] || 'python3';

/** The folder of a torch wheel with CUDA; undefined: there is none. */
function libtorch() {
  if (isDry) return '<torch>';
  const script = 'import os, torch; print(os.path.dirname(torch.__file__))';
  const found =
    process.env['ADAPTIVE_TRAINER_LIBTORCH'] ||
    spawnSync(python, ['-c', script], { encoding: 'utf8' }).stdout?.trim();
  return found && existsSync(path.join(found, 'lib', 'libtorch_cuda.so')) ? path.resolve(found) : undefined;
}

/** What compilers are started by: ccache, where that is there. @returns {string[]} */
function launcher() {
  if (isDry || spawnSync('ccache', ['--version']).status !== 0) return [];
  process.env['CCACHE_SLOPPINESS'] = 'pch_defines,time_macros,include_file_mtime,include_file_ctime';
  return ['ccache'];
}

const gpu = card();
const torch = libtorch();
const means = { root, folder, cuda: toolkit(), architecture: gpu.architecture, launcher: launcher() };
const kernels = kernelTests(means);
const engine = torch === undefined ? undefined : enginePrograms({ ...means, libtorch: torch });
const trlPeers = [python, 'bench/gpu/trl_peers.py'];

/** @param {string[]} command */
async function run([command = '', ...args]) {
  try {
    await runFile(command, args, {
      cwd: root,
      maxBuffer: 1 << 28,
      timeout: Math.ceil(1000 * secondsLeft()) + 1,
    });
  } catch (error) {
    const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error);
    fail(`${[command, ...args].join(' ')} failed: ${stderr || message}`);
  }
}

/** What was compiled already, for more than one program. @type {Set<string>} */
const done = new Set();

/** @param {string[][]} commands */
async function inParallel(commands) {
  const left = commands.filter((command) => !done.has(command.join(' '))).values();
  const work = async () => {
    for (const command of left) {
      await run(command);
      done.add(command.join(' '));
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
}

/** @param {import('./build-plan.mjs').Program} program */
async function build({ first, compile, link }) {
  await inParallel(first);
  await inParallel(compile);
  await run(link);
}

/**
 * Runs a program, shows what it prints, and ends it when the time is up.
 * @param {string[]} command @param {number} most seconds
 * @returns {Promise<{ status: number | null, text: string }>}
 */
function watch([command = '', ...args], most) {
  return new Promise((resolve) => {
    const timeout = Math.ceil(1000 * Math.min(most, secondsLeft())) + 1;
    const child = spawn(command, args, {
      cwd: root,
      timeout,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      process.stdout.write(data);
    });
    child.on('error', (error) => resolve({ status: 1, text: `${text}${error.message}` }));
    child.on('close', (status) => resolve({ status, text }));
  });
}

/** @type {{ part: string, result: string, seconds: number }[]} */
const parts = [];
/** @type {import('./table.mjs').Measured[]} */
const measured = [];
let passed = true;

/** A line of the table. @param {string} part @param {() => Promise<string>} work → its result */
async function timed(part, work) {
  const start = Date.now();
  const result = await work();
  parts.push({ part, result, seconds: (Date.now() - start) / 1000 });
}

/** @param {string[]} command @param {number} most @returns {Promise<string>} */
async function result(command, most) {
  if (secondsLeft() < 5) {
    passed = false;
    return 'no time was left';
  }
  const { status, text } = await watch(command, most);
  measured.push(...measuredIn(text));
  if (status !== 0) passed = false;
  const told = /^\d+ of \d+ .*passed/m.exec(text)?.[0];
  return told ?? (status === 0 ? 'done' : status === null ? 'ended: it took too long, or crashed' : 'failed');
}

/** @param {string} file */
const started = (file) => path.join(root, file);

async function check() {
  mkdirSync(path.join(root, folder), { recursive: true });
  writeFileSync(
    path.join(root, folder, 'core.h'),
    '// Stands for the compiled native/core/pch.h beside it.\n',
  );
  await timed(`kernel tests, built for ${gpu.architecture}`, async () => (await build(kernels), 'built'));
  if (!buildsOnly) await timed('kernel tests', () => result([started(kernels.program)], 120));
  if (engine === undefined) {
    parts.push({
      part: 'engine',
      result: 'libtorch with CUDA not found: set ADAPTIVE_TRAINER_LIBTORCH',
      seconds: 0,
    });
    return;
  }
  await timed('engine, its tests and benchmark', async () => {
    await build(engine.deviceTests);
    await build(engine.bench);
    return 'built';
  });
  if (buildsOnly) return;
  await timed('steps, generation, attention', () => result([started(engine.deviceTests.program)], 120));
  await timed('benchmark', () => result([started(engine.bench.program)], 180));
  await timed('beside TRL', () => result(trlPeers, 180));
}

if (isDry) {
  const programs = engine === undefined ? [kernels] : [kernels, engine.deviceTests, engine.bench];
  const commands = programs.flatMap(({ first, compile, link }) => [...first, ...compile, link]);
  for (const command of [
    ...new Set(
      [...commands, ...programs.map(({ program }) => [program]), trlPeers].map((one) => one.join(' ')),
    ),
  ])
    console.log(command);
} else {
  await check();
  console.log(
    `\n${gpu.name}${torch === undefined ? '' : `, libtorch in ${torch}`}\n${table(parts, measured)}`,
  );
  if (!passed) fail('Some of it failed on this GPU.');
}
