import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

function faultsOf(args: object): { path: string; code: string }[] {
  try {
    parseTrainerConfig({ args });
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    return error.details.faults.map(({ path, code }) => ({
      path,
      code,
    }));
  }
  return [];
}

describe('the settings of a schedule', () => {
  it.each([
    [{ lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 2, lrEnd: 0 } }],
    [{ lr_scheduler_type: 'wsd', lr_scheduler_kwargs: { num_decay_steps: 3, decay_type: '1-sqrt' } }],
    [{ lrSchedulerType: 'cosine_with_min_lr', lrSchedulerKwargs: { minLr: 1e-6 } }],
    [{ lrSchedulerType: 'cosine_with_min_lr', minLrRate: 0.1 }],
  ])('%j', (args) => {
    expect(faultsOf(args)).toEqual([]);
  });

  it.each([
    [
      { lrSchedulerType: 'linear', lrSchedulerKwargs: { power: 2 } },
      'args.lrSchedulerKwargs.power',
      'CONTRADICTION',
    ],
    [
      { lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 0 } },
      'args.lrSchedulerKwargs.power',
      'INVALID',
    ],
    [
      { lrSchedulerType: 'wsd', lrSchedulerKwargs: { decay: 2 } },
      'args.lrSchedulerKwargs.decay',
      'UNKNOWN_KEY',
    ],
    [{ lrSchedulerKwargs: 3 }, 'args.lrSchedulerKwargs', 'INVALID'],
    [{ lrSchedulerType: 'cosine_with_min_lr' }, 'args.minLrRate', 'MISSING'],
    [{ lrSchedulerKwargs: { minLrRate: 0.1 } }, 'args.lrSchedulerKwargs.minLrRate', 'CONTRADICTION'],
    [
      { lrSchedulerType: 'cosine_with_min_lr', minLrRate: 0.1, lrSchedulerKwargs: { minLr: 1e-6 } },
      'args.lrSchedulerKwargs.minLr',
      'CONTRADICTION',
    ],
  ])('%j', (args, path, code) => {
    expect(faultsOf(args)).toEqual([{ path, code }]);
  });
});

describe('precision', () => {
  it.each([
    [{ precision: 'bf16-true' }, { precision: 'bf16-true', bf16: true, fp16: false }],
    [{ precision: 'fp32' }, { precision: 'fp32', bf16: false, fp16: false }],
    [
      { precision: null, bf16: true },
      { precision: null, bf16: true, fp16: false },
    ],
    [{ fp16: false }, { precision: 'fp32' }],
    [{}, { precision: null, fp16: true, bf16: false }],
    [
      { precision: 'bf16', fp16: true },
      { precision: 'bf16', bf16: true, fp16: false },
    ],
    [{ precision: 'fp16' }, { precision: 'fp16', fp16: true, bf16: false }],
  ])('%j', (args, expected) => {
    expect(parseTrainerConfig({ args }).args).toMatchObject(expected);
  });

  it.each([{}, { precision: 'fp16' }, { precision: 'bf16-true' }, { bf16: true }, { fp16: false }])(
    'read again, it is the same: %j',
    (given) => {
      const { args } = parseTrainerConfig({ args: given });
      expect(parseTrainerConfig({ args }).args).toEqual(args);
    },
  );

  it('is not contradicted by the two flags', () => {
    expect(faultsOf({ precision: 'bf16', bf16: true, fp16: false })).toEqual([]);
    expect(faultsOf({ precision: 'fp32', fp16: true })).toEqual([
      { path: 'args.fp16', code: 'CONTRADICTION' },
    ]);
  });
});

describe('the confidence curriculum', () => {
  it('may be a constant or a ramp', () => {
    expect(faultsOf({ initialConfidence: 0.4 })).toEqual([]);
    expect(faultsOf({ initial_confidence: 0.4, final_confidence: 0.8, curriculum_epochs: 2 })).toEqual([]);
  });

  it.each([
    [{ finalConfidence: 0.4, curriculumEpochs: 1 }, 'adaptiveLoss.initialConfidence', 'MISSING'],
    [{ initialConfidence: 0.2, finalConfidence: 0.4 }, 'adaptiveLoss.curriculumEpochs', 'MISSING'],
    [{ initialConfidence: 0.2, curriculumEpochs: 2 }, 'adaptiveLoss.finalConfidence', 'MISSING'],
    [{ initialConfidence: 1.2 }, 'adaptiveLoss.initialConfidence', 'INVALID'],
    [{ loss: 'dft', initialConfidence: 0.2 }, 'adaptiveLoss.initialConfidence', 'CONTRADICTION'],
    [{ loss: 'eaft', topK: 1 }, 'adaptiveLoss.topK', 'INVALID'],
  ])('%j', (args, path, code) => {
    expect(faultsOf(args)).toEqual([{ path, code }]);
  });
});

it('momentum is for sgd', () => {
  expect(faultsOf({ optimizer: 'sgd', momentum: 0.9 })).toEqual([]);
  expect(faultsOf({ optimizer: 'adamw', momentum: 0.9 })).toEqual([
    { path: 'args.momentum', code: 'CONTRADICTION' },
  ]);
});
