import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mkdirs, mkdirsSync, tryMkdirs } from '../../src/common/mkdirs.js';
import { checkOutputDir } from '../../src/trainer/output-dir/check-output-dir.js';
import { tempDir } from '../helpers/temp-dir.js';

const settings = { runName: 'run', resumeFromCheckpoint: null, overwriteOutputDir: false };
const makers = { mkdirs, mkdirsSync: async (path: string) => mkdirsSync(path) };

describe.each(Object.entries(makers))('%s', (_name, make) => {
  it('makes folders in folders, at once by several, and leaves those that are there', async () => {
    const dir = tempDir();
    const path = join(dir, 'a', 'b', 'c');
    await Promise.all([make(path), make(path), make(join(dir, 'a', 'd'))]);
    await make(path);
    expect(statSync(path).isDirectory()).toBe(true);
    expect(readdirSync(join(dir, 'a'))).toEqual(['b', 'd']);
  });

  it('names a file that is in the way', async () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'a', 'b')])
      await expect(make(path)).rejects.toThrow(`${file} is a file, not a folder`);
  });

  it.runIf(existsSync('/proc/self'))('refuses a folder below /proc', async () => {
    await expect(make('/proc/no-such-folder/out')).rejects.toThrow('/proc');
  });
});

describe('an output folder that is not there yet', () => {
  it('is refused before the run where it cannot be made', async () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, '');
    const paths = [join(file, 'out'), ...(existsSync('/proc/self') ? ['/proc/no-such-folder/a/out'] : [])];
    for (const path of paths)
      await expect(checkOutputDir(path, settings)).rejects.toMatchObject({
        code: 'IO_FAILED',
        message: expect.stringContaining(path) as string,
      });
  });

  it('is not made by looking, nor is anything else', async () => {
    const dir = tempDir();
    await checkOutputDir(join(dir, 'a', 'b'), settings);
    await tryMkdirs(join(dir, 'a'));
    expect(readdirSync(dir)).toEqual([]);
  });
});
