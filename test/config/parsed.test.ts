import { describe, expect, it } from 'vitest';
import { planDatasets } from '../../src/config/datasets/plan-datasets.js';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { parsePeftConfig } from '../../src/config/read/read-peft-config.js';

const input = {
  modelName: 'm',
  outputDir: 'o',
  datasetsConfig: { ideas: ['a:|:5', 'b'] },
  systemPrompts: { ideas: 'I' },
  trainingConfig: { batchSize: 2, lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 2 } },
  adaptiveLossConfig: { topK: 3 },
  peftConfig: { r: 4, targetModules: ['q_proj'] },
};
const config = parseConfig(input, {});

describe('a parsed configuration', () => {
  it('is taken as it is, and so is each part', () => {
    expect(parseConfig(config, {})).toBe(config);
    const trainer = parseTrainerConfig(
      { args: config.trainingConfig, adaptiveLoss: config.adaptiveLossConfig },
      {},
    );
    expect(trainer.args).toBe(config.trainingConfig);
    expect(trainer.adaptiveLoss).toBe(config.adaptiveLossConfig);
    expect(trainer.warnings).toEqual([]);
    expect(parsePeftConfig(config.peftConfig)).toBe(config.peftConfig);
    expect(planDatasets(config.datasets, {}, () => {})).toBe(config.datasets);
    expect(planDatasets(config.datasets.slice(1), {}, () => {})).toEqual([config.datasets[1]]);
  });

  it('holds a plan of each dataset', () => {
    expect(config.datasets).toMatchObject([
      { name: 'a', limit: 5, style: 'ideas', path: 'datasetsConfig.ideas[0]', systemPrompt: 'I' },
      { name: 'b', limit: null },
    ]);
    const snake = { model_name: 'm', output_dir: 'o', datasets_config: { misc: ['a'] } };
    expect(parseConfig(snake, {}).datasets[0]!.path).toBe('datasets_config.misc[0]');
  });

  it('cannot be changed after it was checked', () => {
    const change = (target: object, key: string) => () => void Object.assign(target, { [key]: -1 });
    const { trainingConfig, peftConfig, datasets, adaptiveLossConfig } = config;
    for (const [target, key] of [
      [config, 'modelName'],
      [trainingConfig, 'batchSize'],
      [trainingConfig.lrSchedulerKwargs, 'power'],
      [adaptiveLossConfig, 'topK'],
      [peftConfig!.targetModules!, '0'],
      [datasets[0]!, 'limit'],
      [datasets[0]!.location, 'trainSplit'],
    ] as [object, string][]) {
      expect(change(target, key)).toThrow(TypeError);
    }
  });

  it('freezes nothing of the user', () => {
    const rows = [{ question: 'q', answer: 'a' }];
    const mine = { name: 'mine', train: rows };
    const own = { ...input, datasetsConfig: { ideas: [mine] } };
    parseConfig(own, {});
    for (const value of [
      own,
      own.datasetsConfig,
      own.trainingConfig,
      own.peftConfig.targetModules,
      mine,
      rows,
    ]) {
      expect(Object.isFrozen(value)).toBe(false);
    }
  });

  it('is checked anew where a copy of it was changed', () => {
    const args = { ...config.trainingConfig, batchSize: 0 };
    expect(() => parseTrainerConfig({ args }, {})).toThrow(/args\.batchSize: expected a whole number/);
    expect(() => parseTrainerConfig({ args: structuredClone(config.trainingConfig) }, {})).not.toThrow();
    expect(() => parseConfig({ ...input, peftConfig: { ...config.peftConfig, r: 0 } }, {})).toThrow(
      /peftConfig\.r/,
    );
    const plans = [{ ...config.datasets[0]!, limit: -1 }];
    expect(() => planDatasets(plans, {}, () => {})).toThrow(/datasetsConfig: expected an object/);
  });

  it('takes no tables beside plans, which would say nothing', () => {
    const tables = { systemPrompts: { ideas: 'other' } };
    expect(() => planDatasets(config.datasets, tables, () => {})).toThrow(/systemPrompts: expected none/);
  });
});

describe('all faults come at once', () => {
  const faults = (change: object) => () => parseConfig({ ...input, ...change }, {});

  it('also those of probabilities that do not fit the datasets, in the spelling of the user', () => {
    const trainingConfig = { mixing: 'interleave', mixingProbabilities: { a: 1, c: 1 } };
    expect(faults({ modelName: 3, trainingConfig })).toThrow(
      /modelName.*trainingConfig\.mixingProbabilities: .*"c".*trainingConfig\.mixingProbabilities: .*"b"/s,
    );
    const snake = {
      model_name: 'm',
      output_dir: 'o',
      datasets_config: { misc: ['a'] },
      training_config: { mixing_probabilities: { a: 1 } },
    };
    expect(() => parseConfig(snake, {})).toThrow(
      /training_config\.mixing_probabilities: expected no mixing_probabilities/,
    );
  });

  it('and names a table where it stands', () => {
    const inside = { ...input.datasetsConfig, system_prompts: { idea: 'x' } };
    expect(faults({ systemPrompts: null, datasetsConfig: inside })).toThrow(
      /datasetsConfig\.system_prompts\.idea: expected a known key/,
    );
    expect(faults({ datasetsKwargs: 3 })).toThrow(/datasetsKwargs: expected an object/);
  });
});

it('an entry for no dataset is a warning, said once', () => {
  const { warnings } = parseConfig({ ...input, datasetsKwargs: { c: {} } }, {});
  expect(warnings).toEqual([
    { code: 'DATASET_ENTRY_UNUSED', message: expect.stringContaining('datasetsKwargs has an entry for "c"') },
  ]);
});
