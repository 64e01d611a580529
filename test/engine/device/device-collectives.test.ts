import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { deviceCollectives } from '../../../src/engine/device/device-collectives.js';
import { loadAddon } from '../../../src/engine/load/load-addon.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { compileLibrary, hasCompiler } from './stub-library.js';

const fileName = 'adaptive_trainer_nccl.so';
const besidePlugin = (folder: string) =>
  deviceCollectives({ ADAPTIVE_TRAINER_CUDA_PLUGIN: path.join(folder, 'adaptive_trainer_cuda.so') });

describe.runIf(hasCompiler)('what ranks on GPUs sum over', () => {
  loadAddon();

  test('is a library beside the plugin', () => {
    const folder = tempDir();
    compileLibrary(folder, fileName, 'void adaptive_trainer_collectives(void) {}');
    expect(typeof besidePlugin(folder)).toBe('object');
  });

  test('or there is a reason why not: no file, no library, another library, one that lacks another', () => {
    const [none, damaged, other, lacking] = [tempDir(), tempDir(), tempDir(), tempDir()] as const;
    expect(besidePlugin(none)).toContain(`there is no ${path.join(none, fileName)}`);
    writeFileSync(path.join(damaged, fileName), 'no library');
    expect(besidePlugin(damaged)).toMatch(/cannot be used \(.*file too short|invalid ELF header/);
    compileLibrary(other, fileName, 'int nothing;');
    expect(besidePlugin(other)).toContain('is another library');
    const nccl = compileLibrary(lacking, 'libnone.so.2', 'int ncclNone;');
    const code = path.join(lacking, 'lacking.c');
    writeFileSync(code, 'extern int ncclNone; int *adaptive_trainer_collectives(void) { return &ncclNone; }');
    execFileSync('cc', ['-shared', '-fPIC', '-o', path.join(lacking, fileName), code, nccl]);
    execFileSync('rm', [nccl]);
    expect(besidePlugin(lacking)).toContain('libnone.so.2');
  });
});
