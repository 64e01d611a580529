import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** Writes a file unless it holds that already, so that an unchanged package is not packed again. */
export function writeIfChanged(file, content) {
  if (existsSync(file) && readFileSync(file).equals(Buffer.from(content))) return;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Copies a file with its time, unless it is there with that time and size. */
export function copyIfChanged(from, to) {
  const { size, mtime } = statSync(from);
  const there = statSync(to, { throwIfNoEntry: false });
  if (there?.size === size && there.mtimeMs === mtime.getTime()) return;
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  utimesSync(to, mtime, mtime);
}

/** A package.json. */
export function writeManifest(folder, manifest) {
  writeIfChanged(path.join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
