import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rename, symlink } from 'node:fs/promises';
import { dirname, relative } from 'node:path';

/** Gives a blob its name in a snapshot: a relative link, or a copy where links are not allowed. */
export async function linkFile(blob: string, name: string): Promise<void> {
  await mkdir(dirname(name), { recursive: true });
  const temporary = `${name}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await symlink(relative(dirname(name), blob), temporary);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOSYS' && code !== 'ENOTSUP') throw error;
    await copyFile(blob, temporary);
  }
  await rename(temporary, name);
}
