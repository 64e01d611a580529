// npm run docs:recordings: runs every command and writes what it prints to docs/recordings. With names of commands only these,
// where they need nothing that an earlier one leaves.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './comments.js';
import { folder, indexPage, recordingPage } from './recordings/pages.js';
import { recordAll } from './recordings/record-all.js';
import { recordings } from './recordings/recordings.js';

const recorded = await recordAll(true, process.argv.slice(2));
const pages = new Map([['index', await indexPage()]]);
for (const recording of recordings.filter(({ command }) => recorded.has(command)))
  pages.set(recording.command, await recordingPage(recording, recorded.get(recording.command)!));
await mkdir(join(root, folder), { recursive: true });
for (const [name, text] of pages) {
  const path = `${folder}/${name}.md`;
  await writeFile(join(root, path), text);
  console.log(path);
}
