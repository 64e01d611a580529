// Bundles page/ into one HTML file, dist/report/template.html, which src/report puts the data of runs into.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = path.join(root, 'page');

const bundle = async (entry, options) => {
  const { outputFiles } = await build({
    entryPoints: [path.join(page, entry)],
    ...{ bundle: true, minify: true, write: false, outdir: page, target: 'es2022', logLevel: 'warning' },
    // Their licenses are in NOTICE.
    legalComments: 'none',
    ...options,
  });
  return outputFiles[0].text.trim();
};

const hash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

/** Writes the template; takes a moment. */
export async function buildPage() {
  const script = await bundle('main.ts', { format: 'iife' });
  const style = await bundle('style.css', {});
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) {
    throw new Error('Expected a bundle without tags that end its element, found one.');
  }
  const html = readFileSync(path.join(page, 'template.html'), 'utf8')
    .replace('here the hash of the script goes', hash(script))
    .replace('here the hash of the style goes', hash(style))
    .replace('here the style goes', () => style)
    .replace('here the script goes', () => script);
  mkdirSync(path.join(root, 'dist', 'report'), { recursive: true });
  writeFileSync(path.join(root, 'dist', 'report', 'template.html'), html);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await buildPage();
