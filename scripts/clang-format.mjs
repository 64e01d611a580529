// Checks the layout of the C++ sources with clang-format; `--write` mends it. Where clang-format is not installed this
// is a warning, and an error in CI.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const write = process.argv.includes('--write');
const folders = ['native', 'test/core', 'test/cuda'];

const files = folders
  .filter((folder) => existsSync(path.join(root, folder)))
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true }).map((name) => path.join(folder, name)),
  )
  .filter((file) => /\.(h|cpp|cu|cuh)$/.test(file))
  .sort();

const version = spawnSync('clang-format', ['--version'], { encoding: 'utf8' });
if (version.status !== 0) {
  const message =
    'clang-format is not installed, so the C++ sources were not checked (`apt-get install clang-format`).';
  console.error(process.env.CI === 'true' ? message : `warning: ${message}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}
if (files.length > 0) {
  const mode = write ? ['-i'] : ['--dry-run', '--Werror'];
  const { status } = spawnSync('clang-format', [...mode, ...files], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error('C++ sources are not laid out as .clang-format says. Run `npm run format`.');
    process.exit(1);
  }
}
console.log(`clang-format: ${files.length} files ${write ? 'written' : 'checked'}`);
