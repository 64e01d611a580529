// Makes the tarballs of every package that this machine can make, in build/packages:
//   node scripts/packages/pack-all.mjs [main] [addon] [libtorch] [source] [--platforms <name>,<name>] [--cuda]
// Default: all of them, the main package with the binaries of this platform. --cuda: the addon's with the kernels of build/cuda.
// docs/packages.md says what they are. They are published from these tarballs, never from the checkout.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { stageAddon } from './stage-addon.mjs';
import { stageLibtorch } from './stage-libtorch.mjs';
import { stageMain } from './stage-main.mjs';
import { stageSource } from './stage-source.mjs';
import { checkout } from './checkout.mjs';

const stages = { main: stageMain, addon: stageAddon, libtorch: stageLibtorch, source: stageSource };
const output = path.join(checkout, 'build', 'packages');
const { values, positionals: wanted } = parseArgs({
  options: {
    platforms: { type: 'string', default: `${process.platform}-${process.arch}` },
    cuda: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

/** Packs a staged folder, unless the tarball that is there was made of the same files. */
function pack(folder) {
  const { name, version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const tarball = path.join(output, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const stamp = `${tarball}.stamp`;
  const content = filesOf(folder).join('\n');
  if (existsSync(tarball) && existsSync(stamp) && readFileSync(stamp, 'utf8') === content) return tarball;
  rmSync(stamp, { force: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const run = spawnSync(npm, ['pack', '--ignore-scripts', '--pack-destination', output], {
    ...{ cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' },
  });
  if (run.status !== 0) throw new Error(`npm pack failed in ${folder}: ${run.stderr}`);
  writeFileSync(stamp, content);
  return tarball;
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((file) => {
      const { size, mtimeMs } = statSync(file);
      return `${path.relative(folder, file)} ${size} ${mtimeMs}`;
    });
}

const unknown = wanted.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`Expected names among ${Object.keys(stages).join(', ')}, found ${unknown.join(', ')}.`);
  process.exit(2);
}
mkdirSync(output, { recursive: true });
for (const [name, stage] of Object.entries(stages)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const options = { platforms: values.platforms.split(','), cuda: values.cuda };
  const tarball = pack(await stage(path.join(output, 'staged'), options));
  console.log(`${path.relative(checkout, tarball)} ${(statSync(tarball).size / 1e6).toFixed(1)} MB`);
}
