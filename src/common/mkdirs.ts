import { existsSync, mkdirSync, statSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, rmdir, stat } from 'node:fs/promises';
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
    if (error.code === 'EEXIST' && (await isFolder())) return;
    await refuseLink(folder);
    throw explained(error, above);
  });
}

/**
 * Tries whether files could be written into a folder, which is there or could be made, and leaves nothing.
 * @throws Error as mkdirs()
 */
export async function tryFolder(path: string): Promise<void> {
  const folder = resolve(path);
  const above = dirname(folder);
  const isThere = await stat(folder).then(expectFolder(folder), unlessMissing);
  if (!isThere && above !== folder) {
    await refuseLink(folder);
    return tryFolder(above);
  }
  try {
    await rmdir(await mkdtemp(join(folder, '.adaptive-trainer-')));
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, folder);
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

/** @throws Error where there is a link to nothing, in whose place no folder can be made */
async function refuseLink(path: string): Promise<void> {
  const link = await lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink() !== true) return;
  throw Object.assign(new Error(`${path} is a link to a folder that is not there`), { code: 'ENOENT' });
}

const reasons: Record<string, string> = {
  ENOENT: '',
  EACCES: ': this user may not write there',
  EPERM: ': this user may not write there',
  EROFS: ': its file system is read-only',
  ENOSPC: ': its disk is full',
  EDQUOT: ': the quota of its disk is used up',
};

function explained(error: NodeJS.ErrnoException, above: string): Error {
  const reason = reasons[error.code ?? ''];
  if (reason === undefined) return error;
  return Object.assign(new Error(`no folder can be made in ${above}${reason}`, { cause: error }), {
    code: error.code,
  });
}
