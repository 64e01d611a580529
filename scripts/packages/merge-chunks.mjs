import { build, transform } from 'esbuild';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes one file of the chunks that an entry always loads and no other entry does: each file costs a look-up, a read and a
 * compilation of its own. esbuild cuts a chunk for each set of entries that share code, and what is loaded on demand is an entry.
 * @param {string} dir where the output of esbuild lies: entries in folders, chunks in `chunks`
 * @param {import('esbuild').Metafile} metafile of it
 * @param {string} entry the output, below `dir`
 */
export async function mergeChunks(dir, metafile, entry) {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([file, output]) => [path.resolve(file), output]),
  );
  const first = path.join(dir, entry);
  const others = [...outputs].filter(
    ([file, { entryPoint }]) => entryPoint && isStarted(dir, file) && file !== first,
  );
  const elsewhere = new Set(others.flatMap(([file]) => [...closureOf(file, outputs)]));
  const merged = [...closureOf(first, outputs)].filter((file) => file !== first && !elsewhere.has(file));
  const core = path.join(dir, 'chunks', 'core.js');
  const named = new Map(merged.map((file, index) => [file, `_${index}_`]));
  await writeCore(core, named, outputs);
  for (const file of outputs.keys()) {
    if (named.has(file)) rmSync(file);
    else if (file.endsWith('.js')) writeFileSync(file, withCore(file, core, named));
  }
  for (const file of [core, ...outputs.keys()].filter((file) => file.endsWith('.js') && !named.has(file))) {
    const { code } = await transform(readFileSync(file, 'utf8'), {
      minifyWhitespace: true,
      // Names stay, for the stacks of errors.
      minifySyntax: true,
      legalComments: 'inline',
    });
    writeFileSync(file, code);
  }
}

/** Whether it begins a program or a thread, in contrast to what an `import()` asks for. */
function isStarted(dir, file) {
  return !/-[A-Z0-9]{8}\.js$/.test(path.relative(dir, file));
}

function closureOf(file, outputs, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { path: imported, kind, external } of outputs.get(file).imports)
    if (kind === 'import-statement' && !external) closureOf(path.resolve(imported), outputs, seen);
  return seen;
}

/** Bundles the merged chunks; what each exports has its prefix there. */
async function writeCore(core, named, outputs) {
  const lines = [...named].map(([file, prefix]) => {
    const from = JSON.stringify(`./${path.basename(file)}`);
    const names = outputs.get(file).exports.map((name) => `${name} as ${prefix}${name}`);
    return names.length === 0 ? `import ${from};` : `export { ${names.join(', ')} } from ${from};`;
  });
  const resolveDir = path.dirname(core);
  const onlyMerged = {
    name: 'only-merged',
    setup: ({ onResolve }) =>
      onResolve({ filter: /.*/ }, ({ path: imported, kind }) =>
        kind === 'entry-point' || named.has(path.resolve(resolveDir, imported))
          ? undefined
          : { path: imported, external: true },
      ),
  };
  await build({
    stdin: { contents: lines.join('\n'), resolveDir },
    outfile: core,
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20' },
    plugins: [onlyMerged],
    logLevel: 'warning',
  });
}

/** A file whose imports of merged chunks go to the one that they became. */
function withCore(file, core, named) {
  const source = `./${path.relative(path.dirname(file), core)}`.replace('./..', '..');
  return readFileSync(file, 'utf8').replace(
    /^import (?:\{([^}]*)\} from )?"(\.[^"]+)";$/gm,
    (statement, names, imported) => {
      const prefix = named.get(path.resolve(path.dirname(file), imported));
      if (prefix === undefined) return statement;
      if (names === undefined) return `import "${source}";`;
      const renamed = names
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
        .map((part) => {
          const [name, local = name] = part.split(' as ');
          return `${prefix}${name} as ${local}`;
        });
      return `import { ${renamed.join(', ')} } from "${source}";`;
    },
  );
}
