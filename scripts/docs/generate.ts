// npm run docs: writes the pages and types that are made from the source.
import { writeFile } from 'node:fs/promises';
import { root } from './comments.js';
import { pages } from './pages.js';

for (const [path, text] of await pages()) {
  await writeFile(root + path, text);
  console.log(path);
}
