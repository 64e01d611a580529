import { readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { bundle, inlined } from './bundle.mjs';
import { checkout, manifest, publishConfig } from './checkout.mjs';
import { rollupTypes } from './rollup-types.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

const commonJs = `// For require(): the very module that import gives. Needs a Node that can require ES modules (20.19, 22.12 or later).
module.exports = require('./library/index.js');
`;

/**
 * The main package: what TypeScript made, bundled, its declarations in one file, and the documentation.
 * @param {string} into
 * @param {{ platforms: readonly string[] }} options the platforms whose packages are published with it; `npm ci` fails where a
 *   lock file lacks one that is named here and in no registry
 */
export async function stageMain(into, { platforms }) {
  const folder = path.join(into, 'main');
  rmSync(path.join(folder, 'dist'), { recursive: true, force: true });
  await bundle(path.join(folder, 'dist'));
  const page = path.join('dist', 'report', 'template.html');
  copyIfChanged(path.join(checkout, page), path.join(folder, page));
  const declarations = path.join(folder, 'dist', 'library', 'index.d.ts');
  rollupTypes({ declarations });
  writeIfChanged(path.join(folder, 'dist', 'index.d.cts'), readFileSync(declarations));
  writeIfChanged(path.join(folder, 'dist', 'index.cjs'), commonJs);
  for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE', 'libtorch.json']) {
    copyIfChanged(path.join(checkout, name), path.join(folder, name));
  }
  for (const name of readdirSync(path.join(checkout, 'docs'))) {
    if (name.endsWith('.md'))
      copyIfChanged(path.join(checkout, 'docs', name), path.join(folder, 'docs', name));
  }
  writeManifest(folder, await mainManifest(platforms));
  return folder;
}

async function mainManifest(platforms) {
  const { addonPackage, libtorchPackage } = await import('../../dist/engine/platform/prebuilt.js');
  const { libtorchPin } = await import('../../dist/engine/libtorch/libtorch-pin.js');
  const machines = platforms.map((name) => {
    const [platform, arch] = name.split('-');
    return { platform, arch };
  });
  const { name, version, description, keywords, license, type, engines, bin, dependencies } = manifest;
  const { homepage, repository, bugs } = manifest;
  return {
    ...{ name, version, description, keywords, license, homepage, repository, bugs, type, engines },
    sideEffects: false,
    exports: {
      '.': {
        import: { types: './dist/library/index.d.ts', default: './dist/library/index.js' },
        require: { types: './dist/index.d.cts', default: './dist/index.cjs' },
      },
      './package.json': './package.json',
    },
    // For tools that do not read "exports".
    ...{ main: './dist/index.cjs', types: './dist/index.d.cts' },
    bin,
    dependencies: Object.fromEntries(
      Object.entries(dependencies).filter(([name]) => !inlined.includes(name)),
    ),
    // npm installs those whose os, cpu and libc fit, and leaves the others.
    optionalDependencies: Object.fromEntries(
      machines.flatMap((machine) => [
        [addonPackage(machine), version],
        [libtorchPackage(machine), libtorchPin.version],
      ]),
    ),
    publishConfig,
  };
}
