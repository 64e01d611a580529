// The kernels of native/cuda on a real GPU: builds cuda_tests with nvcc for the card that is there, runs them, prints one
// table. For a bare machine: needs this checkout, Node and a CUDA toolkit; no npm packages, no libtorch, no network.
//   node scripts/gpu/check.mjs               builds and runs
//   node scripts/gpu/check.mjs --build-only  builds for sm_90; needs no GPU
//   node scripts/gpu/check.mjs --dry-run     prints what it would run; needs nothing
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findNvcc } from '../cuda/find-nvcc.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.join('build', 'gpu-check');
const options = new Set(process.argv.slice(2));
const isDry = options.delete('--dry-run');
const buildsOnly = options.delete('--build-only');
const runFile = promisify(execFile);

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

const cuda = toolkit();
const gpu = card();
const nvcc = path.join(cuda, 'bin', 'nvcc');

/** @param {string} where @param {string} end */
function filesOf(where, end) {
  return readdirSync(path.join(root, where))
    .filter((name) => name.endsWith(end))
    .map((name) => path.join(where, name));
}

/** @param {string} file */
function objectOf(file) {
  return path.join(folder, `${path.basename(file)}.o`);
}

const sources = [
  ...filesOf('native/cuda', '.cu'),
  ...filesOf('test/cuda', '.cpp'),
  'native/core/optim/dynamic_code.cpp',
];
const flags = ['-std=c++20', '-O2', '-arch', gpu.architecture, '-I', 'native', '-I', 'test/cuda'];
flags.push('-I', path.join(cuda, 'include'), '-I', path.join(cuda, 'include', 'cccl'));
const program = path.join(folder, 'cuda_tests');
const compiling = sources.map((file) => [nvcc, ...flags, '-c', file, '-o', objectOf(file)]);
const linking = [nvcc, ...flags.slice(0, 4), ...sources.map(objectOf), '-o', program];
linking.push('-L', path.join(cuda, 'lib'), '-L', path.join(cuda, 'lib64'));

/** @param {string[]} command */
async function run([command = '', ...args]) {
  try {
    await runFile(command, args, { cwd: root, maxBuffer: 1 << 28 });
  } catch (error) {
    const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error);
    fail(`${[command, ...args].join(' ')} failed: ${stderr || message}`);
  }
}

async function build() {
  mkdirSync(path.join(root, folder), { recursive: true });
  const left = compiling.values();
  const work = async () => {
    for (const command of left) await run(command);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
  await run(linking);
}

/** @param {string} title @param {() => Promise<void> | void} step @returns {Promise<string>} a line of the table */
async function timed(title, step) {
  const start = Date.now();
  await step();
  return `${title.padEnd(40)} ${((Date.now() - start) / 1000).toFixed(1).padStart(7)} s`;
}

if (isDry) {
  for (const command of [...compiling, linking, [program]]) console.log(command.join(' '));
} else {
  const lines = [await timed(`built for ${gpu.architecture}`, build)];
  let passed = true;
  if (!buildsOnly) {
    lines.push(
      await timed('every numeric test on the device', () => {
        passed = spawnSync(path.join(root, program), { cwd: root, stdio: 'inherit' }).status === 0;
      }),
    );
  }
  console.log(`\n${gpu.name}\n${lines.join('\n')}`);
  if (!passed) fail('Some tests failed on this GPU.');
}
