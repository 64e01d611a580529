/**
 * What a user waits for before anything is trained: the import of the package (bundled as it is published), and from `node` to the
 * first optimizer step of the quickstart's model, each in processes of their own.
 *
 *   npm run bench:start [-- --runs 10] [--note TEXT]
 */
import { execFile } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { bundle } from '../../scripts/packages/bundle.mjs';
import { chooseBinaries } from '../../src/engine/load/load-addon.js';
import { appendMeasured } from '../step/append-results.js';
import { quantile } from '../step/quantile.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10' }, note: { type: 'string', default: '' } },
});
const folder = join(root, 'build', 'bench-package');
rmSync(folder, { recursive: true, force: true });
await bundle(join(folder, 'dist'));
for (const name of ['package.json', 'libtorch.json']) cpSync(join(root, name), join(folder, name));

const { addon, libtorch } = chooseBinaries();
const env = { ...process.env, ADAPTIVE_TRAINER_ADDON: addon, ADAPTIVE_TRAINER_LIBTORCH: libtorch.root };
interface Times {
  began: number;
  imported: number;
  importCpu: number;
  /** Native libraries in the process after the import alone. */
  loaded: string[];
  opened: number;
  started: number;
  stepped: number;
}
async function run(...more: string[]): Promise<Times> {
  const program = join(root, 'bench', 'start', 'first-step.mjs');
  const args = [
    program,
    join(folder, 'dist', 'library', 'index.js'),
    join(root, 'examples', 'seed-lm'),
    ...more,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return JSON.parse(stdout) as Times;
}
const imports: Times[] = [];
const steps: Times[] = [];
// The first of each warms the caches of files, and the trial of the addon that is done once.
for (let i = 0; i <= Number(values.runs); i++) {
  const [one, other] = [await run('import'), await run()];
  if (i === 0) continue;
  imports.push(one);
  steps.push(other);
}
const loaded = [...new Set(imports.flatMap((times) => times.loaded))];
console.log(`native code that the import loads: ${loaded.join(', ') || 'none'}`);
const figures: [string, number[]][] = [
  ['import, processor', imports.map(({ importCpu }) => importCpu)],
  ['import', imports.map(({ began, imported }) => imported - began)],
  ['node to import', steps.map(({ imported }) => imported)],
  ['node to model opened', steps.map(({ opened }) => opened)],
  ['node to start event', steps.map(({ started }) => started)],
  ['node to first step', steps.map(({ stepped }) => stepped)],
];
for (const [what, ms] of figures)
  console.log(
    `${what.padEnd(24)} median ${quantile(ms, 0.5).toFixed(0)} ms, fastest ${Math.min(...ms).toFixed(0)} ms`,
  );
await appendMeasured(
  figures.map(([what, ms]) => ({ what, seconds: ms.map((one) => one / 1000), note: values.note })),
);
