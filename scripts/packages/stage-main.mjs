import { build } from 'esbuild';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { checkout, manifest, publishConfig } from './checkout.mjs';
import { mergeChunks } from './merge-chunks.mjs';
import { rollupTypes } from './rollup-types.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

// Packages of many small files that every import needs become part of the bundle; NOTICE names them.
const inlined = ['zod', '@bufbuild/protobuf'];

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

// Hundreds of small files take most of the time of an import. What is imported on demand stays apart.
async function bundle(into) {
  const from = (name) => path.join(checkout, 'dist', name);
  const { metafile } = await build({
    entryPoints: [
      { in: from('index.js'), out: 'library/index' },
      { in: from('cli/main.js'), out: 'cli/main' },
      // A thread of its own, started by its name beside the chunk that starts it.
      { in: from('data/tokens/tokenizer-worker.js'), out: 'chunks/tokenizer-worker' },
    ],
    outdir: into,
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20' },
    chunkNames: 'chunks/[name]-[hash]',
    external: Object.keys(manifest.dependencies).filter((name) => !inlined.includes(name)),
    // Comments are for readers of the sources.
    legalComments: 'inline',
    logLevel: 'warning',
    metafile: true,
  });
  await mergeChunks(into, metafile, 'library/index.js');
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
