import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { configFaults } from './config-faults.js';

const least = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } };
const training = (trainingConfig: object) => ({ ...least, trainingConfig });
const one = (input: unknown) => {
  const faults = configFaults(input);
  expect(faults).toHaveLength(1);
  return faults[0]!;
};

describe('all faults at once', () => {
  const input = {
    model_name: '',
    datasets_config: { ideas: ['a'] },
    training_config: { batchsize: 3, learning_rate: -1, optimizer: 'lomo', fp16: true, bf16: true },
    adaptive_loss_config: { top_k: 0 },
  };

  it('are in one error, with their paths as the user spelled them', () => {
    expect(configFaults(input).map(({ path, code }) => [path, code])).toEqual([
      ['model_name', 'INVALID'],
      ['output_dir', 'MISSING'],
      ['training_config.batchsize', 'UNKNOWN_KEY'],
      ['training_config.optimizer', 'NOT_AVAILABLE'],
      ['training_config.bf16', 'CONTRADICTION'],
      ['training_config.learning_rate', 'INVALID'],
      ['adaptive_loss_config.top_k', 'INVALID'],
    ]);
  });

  it('are all in its message', () => {
    let message = '';
    try {
      parseConfig(input, {});
    } catch (error) {
      message = (error as AdaptiveTrainerError).message;
    }
    expect(message.split('\n')).toHaveLength(8);
    expect(message).toContain('found 7 faults');
    expect(message).toContain('training_config.learning_rate: expected a number, 0 or more, received -1');
    expect(message).toContain('did you mean "batch_size"?');
  });

  it('of the trainer class have its paths', () => {
    const call = () => parseTrainerConfig({ args: { batchSize: 0 }, adaptiveLoss: { topK: 0.5 } }, {});
    expect(call).toThrow(/args\.batchSize: .*\n {2}adaptiveLoss\.topK: /);
  });
});

describe('one fault', () => {
  it.each([undefined, null, 3, 'x', []])('where the configuration is %j', (input) => {
    expect(one(input)).toMatchObject({ path: '', message: expect.stringContaining('expected an object') });
  });

  it('per required key that is missing, in the spelling of the rest', () => {
    expect(configFaults({}).map(({ path }) => path)).toEqual(['modelName', 'outputDir', 'datasetsConfig']);
    const paths = configFaults({ training_config: {}, datasets_config: { misc: ['a'] } }).map(
      ({ path }) => path,
    );
    expect(paths).toEqual(['model_name', 'output_dir']);
  });

  it.each([
    [{ batchSize: '4' }, 'batchSize', 'received the string "4"; write it without quotes'],
    [{ learning_rate: '2e-5' }, 'learning_rate', 'received the string "2e-5"; write it without quotes'],
    [
      { fp16: 'False' },
      'fp16',
      'expected true or false, received the string "False"; write false without quotes',
    ],
    [{ learningRate: NaN }, 'learningRate', 'received NaN'],
    [{ learningRate: Infinity }, 'learningRate', 'received Infinity'],
    [{ maxSteps: NaN }, 'maxSteps', 'received NaN'],
    [{ learningRate: -1e-5 }, 'learningRate', 'expected a number, 0 or more, received -0.00001'],
    [{ batchSize: 2.5 }, 'batchSize', 'expected a whole number, 1 or more, received 2.5'],
    [{ gradientAccumulationSteps: 0 }, 'gradientAccumulationSteps', 'expected a whole number, 1 or more'],
    [{ evalBatchSize: 0 }, 'evalBatchSize', 'received 0'],
    [{ batchSize: null }, 'batchSize', 'received null'],
    [{ paddingSide: 'middle' }, 'paddingSide', 'expected "left" or "right", received the string "middle"'],
    [{ maxSteps: 0 }, 'maxSteps', 'expected -1 or a whole number, 1 or more, received 0'],
    [{ maxSteps: -2 }, 'maxSteps', 'expected -1 or a whole number'],
    [{ numEpochs: 0 }, 'numEpochs', 'expected a number greater than 0'],
    [{ seed: -1 }, 'seed', 'expected a whole number from 0 to 4294967295'],
    [{ seed: 2 ** 32 }, 'seed', 'expected a whole number from 0 to 4294967295'],
    [{ optimizer: 'adamx' }, 'optimizer', 'received the string "adamx"'],
    [{ lrSchedulerType: 3 }, 'lrSchedulerType', 'received 3'],
    [
      { device: 'gpu' },
      'device',
      'expected "auto", "cpu", "cuda" or "cuda:<index>", received the string "gpu"',
    ],
    [{ useWandb: 'yes' }, 'useWandb', 'expected "auto", true or false'],
    [{ zeroStage: 4 }, 'zeroStage', 'expected a whole number from 0 to 2'],
    [{ localRank: -2 }, 'localRank', 'expected a whole number from -1 to 65535'],
    [{ betas: [0.9] }, 'betas', 'expected two numbers from 0 to less than 1, received an array of 1'],
    [{ betas: [0.9, 1] }, 'betas[1]', 'expected a number from 0 to less than 1, received 1'],
    [{ warmupSteps: 1.5 }, 'warmupSteps', 'expected a whole number, 0 or more'],
    [{ saveTotalLimit: 0 }, 'saveTotalLimit', 'expected a whole number, 1 or more'],
    [{ runName: '' }, 'runName', 'expected a string that is not empty, received an empty string'],
    [{ evalStrategy: 'sometimes' }, 'evalStrategy', 'expected "no", "steps" or "epoch"'],
    [{ resumeFromCheckpoint: 3 }, 'resumeFromCheckpoint', 'received 3'],
  ])('for %j', (config, key, message) => {
    const fault = one(training(config));
    expect(fault).toMatchObject({ path: `trainingConfig.${key}`, code: 'INVALID' });
    expect(fault.message).toContain(message);
  });

  it('for a group that is no object', () => {
    expect(one({ ...least, trainingConfig: [] })).toMatchObject({
      path: 'trainingConfig',
      message: 'expected an object, received an array of 0',
    });
  });

  it('for topK below 1', () => {
    expect(one({ ...least, adaptiveLossConfig: { topK: 0 } }).path).toBe('adaptiveLossConfig.topK');
  });
});

describe('contradictions', () => {
  it.each([
    [{ fp16: true, bf16: true }, 'bf16', /fp16 and bf16/],
    [{ betas: [0.9, 0.99], adamBeta2: 0.999 }, 'adamBeta2', /trainingConfig\.betas/],
    [{ minLrRate: 0.1 }, 'minLrRate', /cosine_with_min_lr/],
    [{ minLrRate: 0.1, lrSchedulerType: 'linear' }, 'minLrRate', /"linear"/],
  ])('of %j', (config, key, message) => {
    const fault = one(training(config));
    expect(fault).toMatchObject({ path: `trainingConfig.${key}`, code: 'CONTRADICTION' });
    expect(fault.message).toMatch(message);
  });

  it('include cosine_with_min_lr without a lowest rate', () => {
    expect(one(training({ lr_scheduler_type: 'cosine_with_min_lr' }))).toMatchObject({
      path: 'trainingConfig.minLrRate',
      code: 'MISSING',
    });
    const { trainingConfig } = parseConfig(
      training({ lrSchedulerType: 'cosine_with_min_lr', minLrRate: 0.1 }),
      {},
    );
    expect(trainingConfig.minLrRate).toBe(0.1);
  });

  it('do not include equal values or a warm-up longer than the run', () => {
    const config = { betas: [0.9, 0.99], adamBeta1: 0.9, warmupSteps: 50, maxSteps: 10 };
    expect(() => parseConfig(training(config), {})).not.toThrow();
  });
});

describe('keys', () => {
  it.each([
    ['batchsize', 'batchSize'],
    ['batch_sise', 'batchSize'],
    ['Learning-Rate', 'learningRate'],
    ['gradientAcumulationStep', 'gradientAccumulationSteps'],
    ['per_device_train_batch_size', 'batchSize'],
    ['num_train_epochs', 'numEpochs'],
    ['optim', 'optimizer'],
    ['attn_implementation', 'attnImpl'],
  ])('%s: did you mean %s?', (key, suggestion) => {
    expect(one(training({ [key]: 1 }))).toMatchObject({ code: 'UNKNOWN_KEY', suggestion });
  });

  it('like nothing known get no suggestion', () => {
    const fault = one(training({ bananas: 1 }));
    expect(fault.suggestion).toBeUndefined();
    expect(fault.message).not.toContain('did you mean');
  });

  it('in the wrong place are told where they belong', () => {
    expect(one({ ...least, batchSize: 2 }).message).toContain('it belongs in trainingConfig');
    expect(one(training({ topK: 2 })).message).toContain('it belongs in adaptiveLossConfig');
  });

  it('are suggested in the spelling of the configuration', () => {
    const input = { model_name: 'm', output_dir: 'o', datasets_config: { idea: ['a'], ideas: ['b'] } };
    expect(one(input)).toMatchObject({ path: 'datasets_config.idea', suggestion: 'ideas' });
    expect(one({ ...input, datasets_config: { ideas: ['a'] }, trainin_config: {} }).suggestion).toBe(
      'training_config',
    );
  });

  it('spelled twice are a fault only with different values', () => {
    const fault = one(training({ batchSize: 4, batch_size: 8 }));
    expect(fault).toMatchObject({ path: 'trainingConfig.batch_size', code: 'SPELLED_TWICE' });
    expect(fault.message).toContain('trainingConfig.batchSize');
    expect(parseConfig(training({ batchSize: 8, batch_size: 8 }), {}).trainingConfig.batchSize).toBe(8);
    expect(one({ ...least, model_name: 'other' })).toMatchObject({
      path: 'model_name',
      code: 'SPELLED_TWICE',
    });
  });

  it('with the value undefined count as absent', () => {
    expect(
      parseConfig(training({ batchSize: undefined, bananas: undefined }), {}).trainingConfig.batchSize,
    ).toBe(4);
  });

  it('of the prototype are no keys', () => {
    expect(one(training({ toString: 1 })).code).toBe('UNKNOWN_KEY');
    expect(
      one(JSON.parse('{"modelName":"m","outputDir":"o","datasetsConfig":{"ideas":["a"]},"__proto__":1}'))
        .code,
    ).toBe('UNKNOWN_KEY');
  });
});

describe('datasets', () => {
  const datasets = (datasetsConfig: unknown, rest: object = {}) => ({ ...least, datasetsConfig, ...rest });

  it.each([
    [{}, 'datasetsConfig', 'at least one dataset'],
    [{ ideas: [], misc: [] }, 'datasetsConfig', 'at least one dataset'],
    [null, 'datasetsConfig', 'received null'],
    [{ ideas: 'a' }, 'datasetsConfig.ideas', 'expected an array of datasets, received the string "a"'],
    [{ ideas: ['a', 3] }, 'datasetsConfig.ideas[1]', 'received 3'],
    [{ ideas: [''] }, 'datasetsConfig.ideas[0]', 'received an empty string'],
    [{ ideas: ['a:|:K'] }, 'datasetsConfig.ideas[0]', 'a whole number of rows'],
    [{ ideas: ['a:|:0'] }, 'datasetsConfig.ideas[0]', 'a whole number of rows'],
    [{ ideas: ['a:|:2.5'] }, 'datasetsConfig.ideas[0]', 'a whole number of rows'],
    [{ ideas: ['a'], dataProcessingFunction: 'f' }, 'datasetsConfig.dataProcessingFunction', 'a function'],
    [{ ideas: ['a'], dataProcessingFunction_a: 3 }, 'datasetsConfig.dataProcessingFunction_a', 'a function'],
    [{ ideas: ['a'], bth: ['b'] }, 'datasetsConfig.bth', 'did you mean "both"?'],
  ])('%j', (config, path, message) => {
    const fault = one(datasets(config));
    expect(fault.path).toBe(path);
    expect(fault.message).toContain(message);
  });

  it.each([
    [{ systemPrompts: { idea: 'I' } }, 'systemPrompts.idea', 'did you mean "ideas"?'],
    [{ systemPrompts: { both: 3 } }, 'systemPrompts.both', 'received 3'],
    [{ systemPrompts: 'You are …' }, 'systemPrompts', 'expected an object, received the string'],
    [
      { datasetsKwargs: { a: { tranSplit: 'x' } } },
      'datasetsKwargs.a.tranSplit',
      'did you mean "trainSplit"?',
    ],
    [{ datasets_kwargs: { a: { val_split: 3 } } }, 'datasets_kwargs.a.val_split', 'received 3'],
    [{ datasets_kwargs: [] }, 'datasets_kwargs', 'received an array of 0'],
    [{ datasetSpecificSystemPrompts: { a: [] } }, 'datasetSpecificSystemPrompts.a', 'received an array of 0'],
  ])('%j beside them', (tables, path, message) => {
    const fault = one({ ...least, ...tables });
    expect(fault.path).toBe(path);
    expect(fault.message).toContain(message);
  });

  it('told in snake_case where the configuration is written in it', () => {
    const input = {
      model_name: 'm',
      output_dir: 'o',
      datasets_config: { ideas: ['x/y'], both: 3 },
      datasets_kwargs: { 'x/y': { tran_split: 'a', name: 7 } },
    };
    const faults = configFaults(input);
    expect(faults.map(({ path, code }) => [path, code])).toEqual([
      ['datasets_kwargs["x/y"].tran_split', 'UNKNOWN_KEY'],
      ['datasets_kwargs["x/y"].name', 'INVALID'],
      ['datasets_config.both', 'INVALID'],
    ]);
    expect(faults[0]!.message).toContain('did you mean "train_split"?');
  });
});
