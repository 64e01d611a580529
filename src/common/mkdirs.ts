import { existsSync, mkdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/**
 * Makes a folder, and those above it, where it is not there yet. Node's own recursive mkdir never returns below a folder in
 * which making one gives ENOENT, such as /proc.
 * @throws Error with a `code`, naming the file that is no folder, or the folder in which none can be made
 */
export async function mkdirs(path: string): Promise<void> {
  const folder = resolve(path);
  const isFolder = () => stat(folder).then(expectFolder(folder), unlessMissing);
  if (await isFolder()) return;
  const above = dirname(folder);
  if (above !== folder) await mkdirs(above);
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    // Another process may have made it meanwhile.
    if (error.code !== 'EEXIST' || !(await isFolder())) throw explained(error, above);
  });
}

/**
 * Tries whether mkdirs() could make a folder, and leaves nothing.
 * @throws Error as mkdirs()
 */
export async function tryMkdirs(path: string): Promise<void> {
  const folder = resolve(path);
  if (await stat(folder).then(expectFolder(folder), unlessMissing)) return;
  const above = dirname(folder);
  if (above !== folder && !(await stat(above).then(expectFolder(above), unlessMissing)))
    return tryMkdirs(above);
  try {
    await rmdir(await mkdtemp(join(above, '.adaptive-trainer-')));
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, above);
  }
}

/** mkdirs(), for code that cannot wait. */
export function mkdirsSync(path: string): void {
  const folder = resolve(path);
  if (existsSync(folder)) return void expectFolder(folder)(statSync(folder));
  const above = dirname(folder);
  if (above !== folder) mkdirsSync(above);
  try {
    mkdirSync(folder);
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, above);
  }
}

function expectFolder(path: string): (found: { isDirectory(): boolean }) => true {
  return (found) => {
    if (found.isDirectory()) return true;
    throw Object.assign(new Error(`${path} is a file, not a folder`), { code: 'ENOTDIR' });
  };
}

function unlessMissing(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
  throw error;
}

function explained(error: NodeJS.ErrnoException, above: string): Error {
  if (error.code !== 'ENOENT') return error;
  return Object.assign(new Error(`no folder can be made in ${above}`, { cause: error }), {
    code: error.code,
  });
}
