import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import path from 'node:path';
import { checkout, common, publishConfig } from './checkout.mjs';
import { platformFields } from './platform-fields.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

// What the addon loads, and what that needs; libtorch's other libraries serve Python, tests and ahead-of-time compilation.
const wanted = {
  linux: /^(libc10|libtorch_cpu|libtorch)\.so$|^libgomp.*\.so/,
  darwin: /^(libc10|libtorch_cpu|libtorch|libomp)\.dylib$/,
  win32: /^(c10|torch_cpu|torch|libiomp5md|fbgemm|asmjit|uv)\.dll$/,
};

/** The package of libtorch for this platform: its libraries for the CPU, stripped. */
export async function stageLibtorch(into) {
  const { thisMachine } = await import('../../dist/engine/platform/machine.js');
  const { libtorchPackage } = await import('../../dist/engine/platform/prebuilt.js');
  const { findLibtorch } = await import('../../dist/engine/libtorch/find-libtorch.js');
  const { libtorchPin } = await import('../../dist/engine/libtorch/libtorch-pin.js');
  const machine = thisMachine();
  const libtorch = findLibtorch({ withHeaders: true });
  const release = libtorch.version.split('+')[0];
  if (release !== libtorchPin.version || libtorch.cuda) {
    throw new Error(
      `Expected libtorch ${libtorchPin.version} for the CPU to pack, found ${libtorch.version} in ${libtorch.root}. ` +
        'Run `npx adaptive-trainer setup` and unset LIBTORCH.',
    );
  }
  const folder = path.join(into, 'libtorch');
  const names = readdirSync(libtorch.libDir).filter((name) => wanted[machine.platform].test(name));
  for (const name of names) stripped(path.join(libtorch.libDir, name), path.join(folder, 'lib', name));
  const listed = names.map((name) => [`lib/${name}`, describe(path.join(folder, 'lib', name))]);
  const list = { version: libtorch.version, source: 'npm', files: Object.fromEntries(listed) };
  writeIfChanged(path.join(folder, 'manifest.json'), `${JSON.stringify(list, undefined, 2)}\n`);
  copyLicenses(libtorch.root, folder);
  const name = libtorchPackage(machine);
  const what = `libtorch ${release}, PyTorch's C++ library, for the CPU of ${machine.platform} on ${machine.arch}.`;
  writeIfChanged(
    path.join(folder, 'README.md'),
    `# ${name}\n\n${what} Stripped, otherwise as PyTorch publishes it. npm installs it with \`adaptive-trainer\`.\n`,
  );
  writeManifest(folder, {
    ...{ name, version: release, description: what, license: 'SEE LICENSE IN LICENSE', ...common },
    ...platformFields(machine),
    files: ['lib', 'manifest.json', 'licenses'],
    publishConfig,
  });
  return folder;
}

/** Strips into `to`, unless it was made of this file already: it takes seconds. */
function stripped(from, to) {
  const { mtime } = statSync(from);
  if (statSync(to, { throwIfNoEntry: false })?.mtimeMs === mtime.getTime()) return;
  mkdirSync(path.dirname(to), { recursive: true });
  rmSync(to, { force: true });
  copyFileSync(from, to);
  // On other systems the libraries come without symbols for debuggers, or are signed.
  if (process.platform === 'linux') {
    const { status, error, stderr } = spawnSync('strip', ['--strip-unneeded', to], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`strip failed for ${from}: ${error?.message ?? stderr}`);
  }
  utimesSync(to, mtime, mtime);
}

function describe(file) {
  const content = readFileSync(file);
  return { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

function copyLicenses(root, folder) {
  copyIfChanged(path.join(checkout, 'scripts', 'packages', 'libtorch-LICENSE'), path.join(folder, 'LICENSE'));
  // A libtorch that `setup` fetched brings those of what is linked into it.
  const licenses = path.join(root, 'licenses');
  if (!existsSync(licenses)) return;
  for (const entry of readdirSync(licenses, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    copyIfChanged(file, path.join(folder, 'licenses', path.relative(licenses, file)));
  }
}
