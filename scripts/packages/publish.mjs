// Publishes tarballs that are not in the registry yet, the main package last:
//   node scripts/packages/publish.mjs <folder>...
// A libtorch that an earlier release has published stays as it is.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const tarballs = process.argv.slice(2).flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => path.join(folder, name)),
);
const packages = new Map();
for (const tarball of tarballs) {
  const text = execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' });
  const { name, version } = JSON.parse(text);
  // A build for another purpose may have left a main package of its own platform beside the binaries.
  packages.set(`${name}@${version}`, { name, tarball });
}
const inOrder = [...packages].sort(([, a], [, b]) => isMain(a) - isMain(b));
for (const [spec, { tarball }] of inOrder) {
  const known = spawnSync('npm', ['view', spec, 'version'], { encoding: 'utf8' });
  if (known.status === 0 && known.stdout.trim() !== '') {
    console.log(`${spec} is there already`);
    continue;
  }
  execFileSync('npm', ['publish', tarball, '--access', 'public', '--provenance'], { stdio: 'inherit' });
}

function isMain({ name }) {
  return name.startsWith('@') ? 0 : 1;
}
