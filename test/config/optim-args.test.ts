import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { importConfig } from '../../src/config/import/import-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

const read = (args: object) => parseTrainerConfig({ args }, {});

function faultsOf(args: object): string[] {
  try {
    read(args);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    return error.details.faults.map(({ path, code, message }) => `${path} ${code}: ${message}`);
  }
  return [];
}

describe('optimArgs', () => {
  it.each([
    [
      { optimizer: 'sgd', optim_args: 'momentum=0.9, nesterov = yes' },
      { momentum: 0.9, optimArgs: { nesterov: true } },
    ],
    [
      { optimizer: 'sgd', optimArgs: 'momentum=.5,dampening=1e-1,nesterov=False' },
      { momentum: 0.5, optimArgs: { dampening: 0.1, nesterov: false } },
    ],
    [
      { optimizer: 'rmsprop', optimArgs: { alpha: 0.9, eps: '1e-6', centered: 1, momentum: '0.5' } },
      { momentum: 0.5, optimArgs: { alpha: 0.9, eps: 1e-6, centered: true } },
    ],
    [{ optimizer: 'adagrad', optimArgs: { lr_decay: 0.01 } }, { optimArgs: { lrDecay: 0.01 } }],
    [{ optimizer: 'adagrad', optimArgs: { lrDecay: 0.01 } }, { optimArgs: { lrDecay: 0.01 } }],
    [
      {
        optimizer: 'ademamix',
        optim_args: 'beta1=0.8,beta2=0.9,beta3=0.99,alpha=4,eps=1e-6,t_alpha=7,t_beta3=9',
      },
      {
        ...{ adamBeta1: 0.8, adamBeta2: 0.9, adamBeta3: 0.99, ademamixAlpha: 4, adamEpsilon: 1e-6 },
        optimArgs: { tAlpha: 7, tBeta3: 9 },
      },
    ],
    [
      { optimizer: 'paged_ademamix_8bit', optimArgs: 'alpha=3' },
      { ademamixAlpha: 3, optimArgs: {} },
    ],
    // TrainingArguments that are written out hold these, and optim_args goes before.
    [
      { optimizer: 'ademamix', adamBeta1: 0.9, adamEpsilon: 1e-8, optimArgs: 'beta1=0.8,eps=1e-6' },
      { adamBeta1: 0.8, adamEpsilon: 1e-6 },
    ],
    [
      { optimizer: 'sgd', momentum: 0.9, optimArgs: 'momentum=0.9' },
      { momentum: 0.9, optimArgs: {} },
    ],
    [
      { optimizer: 'ademamix', betas: [0.8, 0.9], optimArgs: 'beta1=0.8' },
      { adamBeta1: 0.8, adamBeta2: 0.9 },
    ],
    [{ optimizer: 'adamw', optimArgs: '' }, { optimArgs: {} }],
    [{ optimizer: 'adamw', optimArgs: {} }, { optimArgs: {} }],
    [{ optimizer: 'adamw', optimArgs: null }, { optimArgs: {} }],
  ])('%j', (args, expected) => {
    const { args: config, warnings } = read(args);
    expect(config).toMatchObject(expected);
    if ('optimArgs' in expected) expect(config.optimArgs).toEqual(expected.optimArgs);
    expect(warnings).toEqual([]);
    // Read again, it is the same.
    expect(read({ ...config }).args).toEqual(config);
  });

  it.each([
    [
      { optimizer: 'sgd', optimArgs: 'lr_decay=1' },
      [
        /^args.optimArgs.lr_decay UNKNOWN_KEY: expected a setting that sgd reads \(momentum, dampening, nesterov, weight_decay\), received "lr_decay"$/,
      ],
    ],
    [{ optimizer: 'rmsprop', optimArgs: { momentun: 0.5 } }, [/momentun UNKNOWN_KEY/]],
    [
      { optimizer: 'adamw', optimArgs: 'momentum=0.9' },
      [/^args.optimArgs CONTRADICTION: expected nothing, since adamw reads none of these/],
    ],
    [{ optim_args: 'beta1=0.9' }, [/^args.optim_args CONTRADICTION: .*paged_adamw_8bit reads none/]],
    [
      { optimizer: 'sgd', optimArgs: 'momentum=fast,dampening=2' },
      [
        /optimArgs.momentum INVALID: expected a number from 0 to less than 1, received the string "fast"/,
        /optimArgs.dampening INVALID: .*received 2$/,
      ],
    ],
    [{ optimizer: 'sgd', optimArgs: 'momentum=nan' }, [/momentum INVALID/]],
    [{ optimizer: 'sgd', optimArgs: 'momentum=0x1' }, [/momentum INVALID/]],
    [
      { optimizer: 'sgd', optimArgs: { momentum: 0.9, nesterov: 'maybe' } },
      [/nesterov INVALID: expected true or false/],
    ],
    [
      { optimizer: 'ademamix', optimArgs: 't_alpha=1.5' },
      [/t_alpha INVALID: expected a whole number, 1 or more/],
    ],
    [
      { optimizer: 'rmsprop', optimArgs: 'alpha=1.5' },
      [/alpha INVALID: expected a number from 0 to 1, received 1.5/],
    ],
    [{ optimizer: 'sgd', optimArgs: 'momentum' }, [/^args.optimArgs INVALID: expected text such as/]],
    [{ optimizer: 'sgd', optimArgs: 'momentum=0.9,' }, [/^args.optimArgs INVALID/]],
    [{ optimizer: 'sgd', optimArgs: 'momentum=0.9=1' }, [/^args.optimArgs INVALID/]],
    [
      { optimizer: 'sgd', optimArgs: 'momentum=0.9,momentum=0.8' },
      [/SPELLED_TWICE.*momentum=0.9 and momentum=0.8/],
    ],
    [
      { optimizer: 'sgd', optimArgs: { lrDecay: 1, lr_decay: 2, __proto__: null } },
      [/lrDecay UNKNOWN_KEY/, /lr_decay UNKNOWN_KEY/],
    ],
    [
      { optimizer: 'sgd', optimArgs: 3 },
      [/^args.optimArgs INVALID: expected an object of settings, or text/],
    ],
    [{ optimizer: 'sgd', optimArgs: ['momentum=0.9'] }, [/^args.optimArgs INVALID/]],
    [
      { optimizer: 'sgd', momentum: 0.5, optimArgs: 'momentum=0.9' },
      [
        /^args.optimArgs.momentum CONTRADICTION: expected what args.momentum says \(0.5\) or nothing, received 0.9; remove one of the two$/,
      ],
    ],
    [{ optimizer: 'sgd', momentum: 0, optimArgs: 'momentum=0.9' }, [/optimArgs.momentum CONTRADICTION/]],
    [
      { optimizer: 'ademamix', adamBeta1: 0.7, optimArgs: 'beta1=0.8' },
      [/beta1 CONTRADICTION.*args.adamBeta1/],
    ],
    [
      { optimizer: 'ademamix', betas: [0.7, 0.9], optimArgs: 'beta2=0.8' },
      [/beta2 CONTRADICTION: expected the value in args.betas/],
    ],
    [
      { optimizer: 'ademamix', ademamixAlpha: 5, optimArgs: 'alpha=4' },
      [/alpha CONTRADICTION.*args.ademamixAlpha/],
    ],
    [
      { optimizer: 'ademamix', ademamixWarmupSteps: 5, optimArgs: 't_beta3=4,t_alpha=5' },
      [/t_beta3 CONTRADICTION.*ademamixWarmupSteps/],
    ],
    [
      { optimizer: 'sgd', optimArgs: 'nesterov=true' },
      [/nesterov CONTRADICTION: .*received it with no momentum/],
    ],
    [
      { optimizer: 'sgd', optimArgs: 'nesterov=true,momentum=0.9,dampening=0.1' },
      [/nesterov CONTRADICTION: .*a dampening of 0.1/],
    ],
    // What is wrong with the optimizer is said of the optimizer.
    [{ optimizer: 'sdg', optimArgs: 'momentum=0.9' }, [/^args.optimizer INVALID/]],
    [{ optimizer: 'muon', optimArgs: 'momentum=0.9' }, [/^args.optimizer NOT_AVAILABLE/]],
  ])('%j is refused', (args, expected) => {
    const faults = faultsOf(args);
    expect(faults).toHaveLength(expected.length);
    for (const [i, pattern] of expected.entries()) expect(faults[i]).toMatch(pattern);
  });

  it.each([
    [
      { optimizer: 'sgd', optimArgs: 'weight_decay=0.1' },
      /^args.optimArgs.weight_decay has no effect here: every weight has weightDecay \(0.01\), as in the Hugging Face Trainer; give weightDecay: 0.1 for it\.$/,
    ],
    [
      { optimizer: 'adagrad', optim_args: { weightDecay: 0 }, weight_decay: 0.2 },
      /weight_decay \(0.2\).*give weight_decay: 0 for it/,
    ],
    [
      { optimizer: 'sgd', optimArgs: 'dampening=0.1' },
      /dampening has no effect here: it dampens the momentum, and there is none/,
    ],
  ])('%j is taken, with a warning', (args, message) => {
    const { warnings, args: config } = read(args);
    expect(warnings.map(({ code }) => code)).toEqual(['KEY_WITHOUT_EFFECT']);
    expect(warnings[0]!.message).toMatch(message);
    expect(config.optimArgs).not.toHaveProperty('weightDecay');
  });

  it('that say the decay which holds anyway need no warning', () => {
    const { warnings } = read({ optimizer: 'rmsprop', weightDecay: 0.3, optimArgs: 'weight_decay=0.3' });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['text', { output_dir: 'o', optim: 'sgd', optim_args: 'momentum=0.9', adam_beta1: 0.9 }],
    ['an object, as axolotl takes it', { base_model: 'm', optimizer: 'sgd', optim_args: { momentum: 0.9 } }],
  ])('come over from another trainer: %s', (_, input) => {
    const { config, notes } = importConfig(input);
    expect(notes).toEqual([]);
    expect(config['training_config'] as object).toMatchObject({
      optimizer: 'sgd',
      optim_args: input.optim_args,
    });
  });
});
