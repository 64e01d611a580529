/**
 * What users wait for and what it takes on disk: installation of the packages from a registry on this machine, and the import
 * of the library. `npm run bench:install`; docs/packages.md keeps the numbers.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { checkout } from '../../scripts/packages/checkout.mjs';
import { packDependencies, startRegistry } from '../../test/packages/registry.js';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-install-'));
const registry = await startRegistry();
const imports = `const started = performance.now();
  await import('adaptive-trainer');
  console.log(performance.now() - started);`;

try {
  const tarballs = path.join(checkout, 'build', 'packages');
  const ours = readdirSync(tarballs).filter((name) => name.endsWith('.tgz'));
  for (const name of ours) registry.add(path.join(tarballs, name));
  for (const tarball of packDependencies(path.join(folder, 'dependencies'))) registry.add(tarball);

  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const args = ['install', 'adaptive-trainer', '--no-audit', '--no-fund', '--ignore-scripts'];
  const env = {
    ...process.env,
    npm_config_registry: registry.url,
    npm_config_cache: path.join(folder, 'cache'),
  };
  const started = performance.now();
  await run('npm', args, { cwd: folder, env });
  console.log(`npm install: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  console.log(`node_modules: ${(sizeOf(path.join(folder, 'node_modules')) / 1e6).toFixed(0)} MB`);

  writeFileSync(path.join(folder, 'import.mjs'), imports);
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const { stdout } = await run(process.execPath, ['import.mjs'], { cwd: folder });
    times.push(Number(stdout));
  }
  times.sort((a, b) => a - b);
  console.log(`import, 15 processes: fastest ${times[0]!.toFixed(0)} ms, median ${times[7]!.toFixed(0)} ms`);
} finally {
  await registry.close();
  rmSync(folder, { recursive: true, force: true });
}

function sizeOf(dir: string): number {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(path.join(dir, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}
