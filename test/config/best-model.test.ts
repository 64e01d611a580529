import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { configFaults } from './config-faults.js';

const least = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } };
const read = (args: object) => parseTrainerConfig({ args }, {}).args;

describe('the metric for the best model', () => {
  it.each([
    ['loss', 'loss', false],
    ['eval_loss', 'loss', false],
    ['perplexity', 'perplexity', false],
    ['eval_mean_token_accuracy', 'tokenAccuracy', true],
    ['token_accuracy', 'tokenAccuracy', true],
    ['eval_in_top_k_share', 'inTopKShare', true],
    ['outsideTopKShare', 'outsideTopKShare', false],
    ['adaptive_loss', 'adaptiveLoss', false],
  ])('%s is %s', (name, metricForBestModel, greaterIsBetter) => {
    expect(read({ metricForBestModel: name })).toMatchObject({ metricForBestModel, greaterIsBetter });
    expect(read({ metricForBestModel: name, greaterIsBetter: !greaterIsBetter })).toMatchObject({
      greaterIsBetter: !greaterIsBetter,
    });
  });

  it('that is not known is a fault', () => {
    const [fault] = configFaults({ ...least, trainingConfig: { metric_for_best_model: 'eval_bleu' } });
    expect(fault).toMatchObject({ path: 'trainingConfig.metric_for_best_model', code: 'INVALID' });
    expect(fault!.message).toMatch(/"loss", "perplexity".*received the string "eval_bleu"/);
  });
});

describe('with loadBestModelAtEnd', () => {
  it.each([
    [{}, { saveStrategy: 'steps', saveSteps: 200 }],
    [{ evalSteps: 30 }, { saveStrategy: 'steps', saveSteps: 30 }],
    [
      { evalSteps: null, loggingSteps: 7 },
      { saveStrategy: 'steps', saveSteps: 7 },
    ],
    [{ evalStrategy: 'epoch' }, { saveStrategy: 'epoch' }],
    [
      { evalSteps: 30, saveSteps: 90 },
      { saveStrategy: 'steps', saveSteps: 90 },
    ],
    [
      { saveStrategy: 'best', evalStrategy: 'epoch' },
      { saveStrategy: 'best', evalStrategy: 'epoch' },
    ],
  ])('it saves where it evaluates: %j', (given, expected) => {
    expect(read({ loadBestModelAtEnd: true, ...given })).toMatchObject(expected);
  });

  it.each([
    [{ saveSteps: 50, evalSteps: 20 }, 'saveSteps', /expected a multiple of evalSteps \(20\).*received 50/],
    [{ saveStrategy: 'epoch' }, 'saveStrategy', /expected "steps" as in evalStrategy, or "best"/],
    [{ saveStrategy: 'no' }, 'saveStrategy', /expected "steps" as in evalStrategy/],
    [{ evalStrategy: 'no' }, 'evalStrategy', /since trainingConfig.loadBestModelAtEnd is given/],
  ])('%j is a contradiction', (given, key, message) => {
    const faults = configFaults({ ...least, trainingConfig: { loadBestModelAtEnd: true, ...given } });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ path: `trainingConfig.${key}`, code: 'CONTRADICTION' });
    expect(faults[0]!.message).toMatch(message);
  });
});

it('measures forgetting where that says which model is best', () => {
  for (const given of [{}, { evalForgetting: null }, { evalForgetting: true }])
    expect(read({ metricForBestModel: 'eval_forgetting', ...given }).evalForgetting).toBe(true);
  expect(read({}).evalForgetting).toBe(null);
  const refused = { metricForBestModel: 'forgetting', evalForgetting: false };
  expect(configFaults({ ...least, trainingConfig: refused })).toMatchObject([
    { path: 'trainingConfig.metricForBestModel', code: 'CONTRADICTION' },
  ]);
});

it.each([{ saveStrategy: 'best' }, { earlyStoppingPatience: 3 }])('%j needs evaluations', (given) => {
  const faults = configFaults({ ...least, trainingConfig: { evalStrategy: 'no', ...given } });
  expect(faults.map(({ path, code }) => [path, code])).toEqual([
    ['trainingConfig.evalStrategy', 'CONTRADICTION'],
  ]);
});
