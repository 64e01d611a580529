// Trainings on a device whose memory the host cannot touch, through everything that a GPU goes through: they are those of the CPU.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RankRun } from '../ranks/train.child.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { buildTimeout, canBuild, guardedDevice } from './guarded-device.js';
import { expectSteps, trainedOn } from './train-on.js';

const timeout = 300_000;
const dir = writeTinyModel(tempDir());
const adapter = { r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
const headAdapter = { r: 4, loraAlpha: 8, targetModules: ['lm_head', 'down_proj'] };
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 40, pullToBase: 2 };
const args = { numEpochs: 2, learningRate: 1e-3, shuffle: true, maxGradNorm: 0.5, weightDecay: 0.01 };
const run = { dir, args, rows: 40 } satisfies RankRun;

// One rounding of float16 and bfloat16, many times over. On the CPU logits are of 16 bits too, on a device of 32, so that first choices
// and ranks differ now and then, and with them weights.
const half = 1e-2;
const brain = 3e-2;

describe.runIf(canBuild)('on a device', () => {
  let environment: (bytes?: number) => NodeJS.ProcessEnv;
  beforeAll(() => void (environment = guardedDevice()), buildTimeout);

  test.each<[string, Partial<RankRun>, number?]>([
    ['whole weights', {}],
    ['windows of several micro-batches', { args: { ...args, batchSize: 4, gradientAccumulationSteps: 3 } }],
    ['recomputed activations', { args: { ...args, gradientCheckpointing: true } }],
    ['frozen layers', { args: { ...args, freeze: ['model.embed_tokens', 'model.layers.0'] } }],
    [
      'cross-entropy with label smoothing',
      { adaptiveLoss: { loss: 'ce' }, args: { ...args, labelSmoothingFactor: 0.1 } },
    ],
    ['the entropy of the first choices', { adaptiveLoss: { loss: 'eaft' } }],
    ['a tokenWeights override', { weighted: true }],
    ['8-bit moments', { args: { ...args, optimizer: 'adamw_8bit' } }],
    ['an adapter', { adapter }],
    ['an adapter of the head', { adapter: headAdapter }],
    ['an adapter on a base in 4 bits', { adapter, quantization: { type: 'nf4' } }],
    ['an adapter on a base in 8 bits', { adapter, quantization: { type: 'int8' } }],
    ['retention', { texts: 9, args: { ...args, retention } }],
    ['retention beside an adapter', { texts: 9, adapter, args: { ...args, retention } }],
    ['bfloat16 beside float32 masters', { args: { ...args, precision: 'bf16' } }, brain],
    ['bfloat16 alone', { args: { ...args, precision: 'bf16-true' } }, brain],
    // Under the adaptive loss the first steps overflow, and not the same ones where logits are of other types.
    [
      'float16 with a scaled loss',
      { adaptiveLoss: { loss: 'ce' }, args: { ...args, precision: 'fp16', fp16: true } },
      half,
    ],
    ['retention in bfloat16', { texts: 9, args: { ...args, precision: 'bf16', retention } }, brain],
  ])('%s: the steps of the CPU', { timeout }, async (_, changes, tolerance = 2e-5) => {
    const changed = { ...run, ...changes };
    const [expected] = await trainedOn(undefined, changed);
    const [found] = await trainedOn(environment(), changed);
    expect(expected!.steps.length).toBeGreaterThanOrEqual(7);
    expectSteps(found!.steps, expected!.steps, tolerance);
  });

  test('an evaluation is that of the CPU', { timeout }, async () => {
    const evaluated = { ...run, evalRows: 37, evaluates: true, args: { ...args, numEpochs: 1 } };
    const [expected] = await trainedOn(undefined, evaluated);
    const [found] = await trainedOn(environment(), evaluated);
    const [one, other] = [found!.evaluations[0]!, expected!.evaluations[0]!];
    expect(one.loss).toBeCloseTo(other.loss, 4);
    expect(one.adaptiveLoss).toBeCloseTo(other.adaptiveLoss!, 4);
    expect(one.tokenAccuracy).toBe(other.tokenAccuracy);
    expect(Object.keys(one.byStyle)).toEqual(Object.keys(other.byStyle));
  });

  describe('a checkpoint', () => {
    const saving = (maxSteps: number) => ({
      ...args,
      numEpochs: 9,
      maxSteps,
      saveStrategy: 'steps',
      saveSteps: 2,
    });
    /** Trains two steps on each device, each from the checkpoint of the one before; on to `last` steps. */
    const chain = async (
      devices: readonly (NodeJS.ProcessEnv | undefined)[],
      changes: Partial<RankRun> = {},
    ) => {
      const outputDir = join(tempDir(), 'run');
      const found = [];
      for (const [i, device] of devices.entries()) {
        const part = {
          ...run,
          ...changes,
          outputDir,
          resume: i > 0,
          args: { ...saving(2 * (i + 1)), ...changes.args },
        };
        found.push((await trainedOn(device, part))[0]!);
      }
      return { steps: found.flatMap(({ steps }) => steps), digest: found.at(-1)!.digest, outputDir };
    };

    test.each<[string, Partial<RankRun>, number?]>([
      ['of whole weights', {}],
      ['of an adapter', { adapter }],
    ])('%s goes from the device to the CPU and back', { timeout }, async (_, changes) => {
      const guarded = environment();
      const moved = await chain([guarded, undefined, guarded], changes);
      const [whole] = await trainedOn(undefined, {
        ...run,
        ...changes,
        args: { ...args, numEpochs: 9, maxSteps: 6 },
      });
      expectSteps(moved.steps, whole!.steps, 2e-5);
    });

    test('goes on on the device to the last bit', { timeout }, async () => {
      const guarded = environment();
      const [whole] = await trainedOn(guarded, { ...run, args: { ...args, numEpochs: 9, maxSteps: 4 } });
      expect((await chain([guarded, guarded])).digest).toBe(whole!.digest);
    });

    test('is, opened on the other device, the same weights to the last bit', { timeout }, async () => {
      const { outputDir, digest } = await chain([environment()]);
      const opened = { ...run, outputDir, resume: true, args: saving(2) };
      expect((await trainedOn(undefined, opened))[0]!.digest).toBe(digest);
      const weights = readFileSync(join(outputDir, 'checkpoint-2', 'model.safetensors'));
      expect(weights.equals(readFileSync(join(outputDir, 'final_model', 'model.safetensors')))).toBe(true);
    });
  });

  test('tokens, logits and gradients of a model are those of the CPU', { timeout }, async () => {
    const program = new URL('use-model.child.ts', import.meta.url);
    const used = async (device: string, env: NodeJS.ProcessEnv) => {
      const { stdout, stderr } = await runChild(program, [dir, device], env);
      expect(stderr).toBe('');
      return JSON.parse(stdout) as { tokens: unknown; numbers: number[] };
    };
    const [expected, found] = [await used('cpu', {}), await used('cuda', environment())];
    expect(found.tokens).toEqual(expected.tokens);
    expect(found.numbers.length).toBe(expected.numbers.length);
    found.numbers.forEach((number, i) => expect(Math.abs(number - expected.numbers[i]!)).toBeLessThan(2e-5));
  });

  test(
    'memory that is refused is an error with advice, and what needs less goes on as if nothing had been',
    { timeout },
    async () => {
      const program = new URL('out-of-memory.child.ts', import.meta.url);
      const env = environment(3 * 2 ** 20);
      const child = async (...more: string[]) => {
        const { stdout, stderr } = await runChild(program, [dir, ...more], env);
        expect(stderr).toBe('');
        return JSON.parse(stdout) as {
          errors: { what: string; code: string; message: string; details?: object }[];
          losses: number[];
        };
      };
      const plain = await child();
      expect(plain.errors).toEqual([]);
      const { errors, losses } = await child('fails');
      expect(errors.map(({ what, code }) => [what, code])).toEqual([
        ['train', 'OUT_OF_MEMORY'],
        ['plan', 'OUT_OF_MEMORY'],
        ['generate', 'OUT_OF_MEMORY'],
        ['evaluate', 'OUT_OF_MEMORY'],
        ['logits', 'OUT_OF_MEMORY'],
      ]);
      expect(errors[0]!.message).toContain('on cuda:0, found that the device refused some');
      expect(errors[0]!.details).toMatchObject({ step: 1 });
      expect(errors[1]!.message).toMatch(/^Expected a run that fits into .* of the memory of cuda:0/);
      expect(losses).toEqual(plain.losses);
    },
  );

  test('a model that the device has no memory for is an error that says so', { timeout }, async () => {
    const program = new URL('use-model.child.ts', import.meta.url);
    const { stdout } = await runChild(program, [dir, 'cuda'], environment(1000));
    expect(JSON.parse(stdout)).toMatchObject({ code: 'OUT_OF_MEMORY' });
  });
});
