import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { checkout, manifest, publishConfig } from './checkout.mjs';
import { rollupTypes } from './rollup-types.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

const commonJs = `// For require(): the very module that import gives. Needs a Node that can require ES modules (20.19, 22.12 or later).
module.exports = require('./index.js');
`;

/** The main package: what TypeScript made, its declarations in one file, and the documentation. */
export async function stageMain(into) {
  const folder = path.join(into, 'main');
  rmSync(path.join(folder, 'dist'), { recursive: true, force: true });
  const dist = path.join(checkout, 'dist');
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    // An output whose source is gone stays in dist.
    if (!name.endsWith('.js') || !existsSync(path.join(checkout, 'src', name.replace(/js$/, 'ts')))) continue;
    // The sources that the maps lead to are not in the package.
    const code = readFileSync(path.join(dist, name), 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
    writeIfChanged(path.join(folder, 'dist', name), code);
  }
  const declarations = path.join(folder, 'dist', 'index.d.ts');
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
  writeManifest(folder, await mainManifest());
  return folder;
}

async function mainManifest() {
  const { addonPackage, libtorchPackage, prebuiltPlatforms } =
    await import('../../dist/engine/platform/prebuilt.js');
  const { libtorchPin } = await import('../../dist/engine/libtorch/libtorch-pin.js');
  const machines = prebuiltPlatforms.map((name) => {
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
        import: { types: './dist/index.d.ts', default: './dist/index.js' },
        require: { types: './dist/index.d.cts', default: './dist/index.cjs' },
      },
      './package.json': './package.json',
    },
    // For tools that do not read "exports".
    ...{ main: './dist/index.cjs', types: './dist/index.d.cts' },
    bin,
    dependencies,
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
