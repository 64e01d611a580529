// Gathers what the site is made of in website/pages: the README as its first page, the pages of docs, the list of examples,
// and the reference of the API, made from the docstrings. Links to files that are no pages become their names.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = path.join(root, 'website', 'pages');
rmSync(pages, { recursive: true, force: true });
mkdirSync(path.join(pages, 'docs'), { recursive: true });

const sources = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'examples/README.md'];
for (const folder of ['docs', 'docs/recordings'])
  for (const name of readdirSync(path.join(root, folder)))
    if (name.endsWith('.md')) sources.push(`${folder}/${name}`);
const isPage = (file) => sources.includes(file);
for (const source of sources) {
  const text = readFileSync(path.join(root, source), 'utf8').replace(
    /(?<!!)\[([^\]]+)\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)/g,
    (whole, label, target) => {
      const file = path.posix.normalize(path.posix.join(path.posix.dirname(source), target));
      return isPage(file) ? whole.replace('README.md', 'index.md') : `${label} (\`${file}\`)`;
    },
  );
  const to = path.join(pages, source.replace('README.md', 'index.md'));
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, text);
}
cpSync(path.join(root, 'docs', 'images'), path.join(pages, 'docs', 'images'), { recursive: true });
cpSync(path.join(root, 'LICENSE'), path.join(pages, 'LICENSE'));

const app = await Application.bootstrapWithPlugins({
  entryPoints: [path.join(root, 'src/index.ts')],
  tsconfig: path.join(root, 'tsconfig.build.json'),
  plugin: ['typedoc-plugin-markdown'],
  ...{
    out: path.join(pages, 'api'),
    readme: 'none',
    entryFileName: 'index',
    excludeInternal: true,
    excludePrivate: true,
  },
  ...{
    disableSources: true,
    sanitizeComments: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    skipErrorChecking: true,
  },
  ...{ logLevel: 'Error', githubPages: false },
});
const project = await app.convert();
if (project === undefined) process.exit(1);
await app.generateOutputs(project);
