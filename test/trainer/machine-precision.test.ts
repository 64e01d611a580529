import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { WarningEvent } from '../../src/events/training-event.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';

interface Run {
  dtype: string;
  losses: number[];
  warnings: WarningEvent[];
  /** Of the error that ended it. */
  code: string;
  message: string;
}

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir(), { hidden_size: 32, num_attention_heads: 4, num_key_value_heads: 2 });
});

/** Trains in a process whose oneDNN uses no more than `isa`; '' for all that the machine has. */
async function train(isa: string, args: object[], outputDir?: string) {
  const { status, stdout, stderr } = await runChild(
    new URL('machine-precision.child.ts', import.meta.url),
    [dir, JSON.stringify(args), ...(outputDir === undefined ? [] : [outputDir])],
    { ONEDNN_MAX_CPU_ISA: isa, DNNL_MAX_CPU_ISA: '', ONEDNN_VERBOSE: '1' },
  );
  expect([status, stderr]).toEqual([0, '']);
  const lines = stdout.trim().split('\n');
  const products = lines.filter((line) => /,exec,cpu,matmul,.*src:bf16/.test(line));
  return {
    ...(JSON.parse(lines.at(-1)!) as { runs: Run[]; hasInstructions: boolean }),
    // What oneDNN itself says that it multiplied bfloat16 matrices with.
    implementations: [...new Set(products.map((line) => line.split(',')[6]!))],
  };
}
const codesOf = ({ warnings }: Run) => warnings.map(({ code }) => code);

const flags = [{ fp16: true }, { bf16: true }];
describe.each(['', 'AVX512_CORE', 'AVX2_VNNI', 'SSE41'])('oneDNN with at most "%s"', (isa) => {
  it('fp16 and bf16 follow what it multiplies bfloat16 with', { timeout: 60_000 }, async () => {
    const { runs, hasInstructions, implementations } = await train(isa, [
      { precision: 'bf16' },
      { precision: 'fp32' },
      ...flags,
    ]);
    const [brain, exact, ...followed] = runs as [Run, Run, ...Run[]];

    // oneDNN's name for its product without such instructions.
    expect(implementations).not.toContain('gemm:jit:bf16');
    expect(implementations.length > 0).toBe(hasInstructions);
    if (isa !== '') expect(hasInstructions).toBe(false);

    expect([brain.dtype, exact.dtype]).toEqual(['bfloat16', 'float32']);
    expect(codesOf(brain)).toEqual(hasInstructions ? [] : ['BF16_IS_SLOW']);
    expect(codesOf(exact)).toEqual([]);
    expect(exact.losses).not.toEqual(brain.losses);
    for (const [i, run] of followed.entries()) {
      const flag = Object.keys(flags[i]!)[0]!;
      expect([run.dtype, run.losses]).toEqual(
        hasInstructions ? [brain.dtype, brain.losses] : [exact.dtype, exact.losses],
      );
      if (hasInstructions) expect(codesOf(run)).toEqual(flag === 'fp16' ? ['FP16_COMPUTES_IN_BF16'] : []);
      else {
        expect(codesOf(run)).toEqual(['COMPUTES_IN_FLOAT32']);
        expect(run.warnings[0]!.message).toContain(`${flag} computes in float32`);
      }
    }
  });
});

it('a bfloat16 checkpoint on a CPU without its instructions: the change is said, and precision goes on as before', async () => {
  const outputDir = tempDir();
  const args = { saveStrategy: 'steps', saveSteps: 1 };
  const whole = await train('AVX2', [{ ...args, precision: 'bf16' }], outputDir);
  const resumeFromCheckpoint = join(outputDir, 'checkpoint-1');
  const { runs } = await train('AVX2', [
    { ...args, bf16: true, resumeFromCheckpoint },
    { ...args, precision: 'bf16', resumeFromCheckpoint },
  ]);
  const [changed, resumed] = runs as [Run, Run];
  expect([changed.code, changed.dtype]).toEqual(['', 'float32']);
  expect(codesOf(changed)).toEqual(expect.arrayContaining(['COMPUTES_IN_FLOAT32', 'SETTINGS_CHANGED']));
  expect(changed.warnings.map(({ message }) => message).join()).toContain(
    'args.precision (bf16 in the checkpoint, fp32 now)',
  );
  expect(codesOf(resumed)).not.toContain('SETTINGS_CHANGED');
  expect(resumed.losses).toEqual(whole.runs[0]!.losses.slice(1));
  expect(changed.losses).not.toEqual(resumed.losses);
});
