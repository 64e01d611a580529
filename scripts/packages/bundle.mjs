import { build } from 'esbuild';
import path from 'node:path';
import { checkout, manifest } from './checkout.mjs';
import { mergeChunks } from './merge-chunks.mjs';

// What becomes part of the bundle, and NOTICE names: packages of many small files that every import needs, and one whose `engines`
// leave out versions of Node on which it works, so that npm would warn whoever has one.
export const inlined = ['zod', '@bufbuild/protobuf', '@renovatebot/pep440'];

/**
 * Bundles dist for users: hundreds of small files take most of the time of an import. What is imported on demand stays apart.
 * @param {string} into a folder beside package.json and libtorch.json
 */
export async function bundle(into) {
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
