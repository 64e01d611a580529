import { existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mkdirs, mkdirsSync, tryFolder } from '../../src/common/mkdirs.js';
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

describe('a folder that is tried', () => {
  it.runIf(existsSync('/proc/self'))(
    'is refused where it is there, and nothing can be made in it',
    async () => {
      await expect(tryFolder('/proc')).rejects.toThrow('no folder can be made in /proc');
    },
  );

  it('is refused where a link to nothing is in its place, and so is making it', async () => {
    const dir = tempDir();
    const link = join(dir, 'link');
    symlinkSync(join(dir, 'gone'), link);
    for (const path of [link, join(link, 'out')]) {
      await expect(tryFolder(path)).rejects.toThrow(`${link} is a link to a folder that is not there`);
      await expect(mkdirs(path)).rejects.toThrow(`${link} is a link to a folder that is not there`);
    }
  });
});

describe('an output folder', () => {
  it('that is not there yet is refused before the run where it cannot be made', async () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, '');
    const paths = [join(file, 'out'), ...(existsSync('/proc/self') ? ['/proc/no-such-folder/a/out'] : [])];
    for (const path of paths)
      await expect(checkOutputDir(path, settings)).rejects.toMatchObject({
        code: 'IO_FAILED',
        message: expect.stringContaining(path) as string,
      });
  });

  it('that is there is refused where its final_model could not be one', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'final_model'), 'a file');
    await expect(checkOutputDir(dir, settings)).rejects.toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringContaining('final_model is a file, not a folder') as string,
    });
  });

  it('that is not there yet is not made by looking, nor is anything else', async () => {
    const dir = tempDir();
    await checkOutputDir(join(dir, 'a', 'b'), settings);
    await tryFolder(join(dir, 'a'));
    await tryFolder(dir);
    expect(readdirSync(dir)).toEqual([]);
  });
});
