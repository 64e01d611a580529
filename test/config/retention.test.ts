import { describe, expect, it } from 'vitest';
import { Planner } from '../../src/config/datasets/read-plans.js';
import { ConfigReader } from '../../src/config/read/config-reader.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { readRetention } from '../../src/config/read/read-retention.js';
import { withRetention } from '../../src/config/read/with-retention.js';

const defaults = {
  source: ['self'],
  samples: 1000,
  length: 64,
  weight: 1,
  tokensPerStep: 128,
  every: 1,
  auto: false,
  pullToBase: null,
};

function read(value: unknown, tables: Record<string, unknown> = {}, isSnake = false) {
  const reader = new ConfigReader(isSnake);
  const of = (object: object, path: string) =>
    new Map(Object.entries(object).map(([key, one]) => [key, { value: one as unknown, path: path + key }]));
  const planner = new Planner(reader, of({ datasetsConfig: { ideas: ['a'] }, ...tables }, ''));
  planner.read();
  const found = readRetention(reader, of({ retention: value }, 'trainingConfig.'), planner);
  planner.warnOfUnused();
  return { ...found, faults: reader.faults, warnings: reader.warnings };
}

describe('retention', () => {
  it.each([null, false])('%j: none', (value) => {
    expect(read(value)).toMatchObject({ retention: null, datasets: [], faults: [] });
  });

  it('has every default filled in', () => {
    expect(read({})).toMatchObject({ retention: defaults, datasets: [], faults: [] });
    expect(read('auto').retention).toEqual({ ...defaults, auto: true });
  });

  it('is what reading it again gives, and frozen', () => {
    const { retention } = read({ weight: 0.5, source: ['self', 'b'] });
    expect(read(retention).retention).toEqual(retention);
    expect(Object.isFrozen(retention)).toBe(true);
    expect(Object.isFrozen(retention!.source)).toBe(true);
  });

  it('takes snake_case', () => {
    const value = { tokens_per_step: 32, pull_to_base: 2 };
    expect(read(value, {}, true).retention).toEqual({ ...defaults, tokensPerStep: 32, pullToBase: 2 });
  });

  it('reads the datasets among its sources with the settings that tables have for them', () => {
    const rows = [{ text: 'one' }];
    const source = ['self', 'b:|:50', { dataset: 'c', columns: { text: 't' } }, { name: 'd', train: rows }];
    const tables = { datasetsKwargs: { b: { trainSplit: 'all' } } };
    const { datasets, faults, warnings } = read({ source }, tables);
    expect([faults, warnings]).toEqual([[], []]);
    expect(datasets).toMatchObject([
      { name: 'b', limit: 50, location: { trainSplit: 'all' }, path: 'trainingConfig.retention.source[1]' },
      { name: 'c', columns: { text: 't' } },
      { name: 'd', memory: { train: rows } },
    ]);
    expect(Object.isFrozen(rows)).toBe(false);
    expect(read({ source: 'b' }).datasets).toMatchObject([{ path: 'trainingConfig.retention.source' }]);
  });

  it.each([
    [true, '', 'INVALID', '"auto", false or an object of settings'],
    ['self', '', 'INVALID', '"auto", false or an object of settings'],
    [[], '', 'INVALID', '"auto", false or an object of settings'],
    [{ weigh: 1 }, '.weigh', 'UNKNOWN_KEY', 'did you mean "weight"'],
    [{ weight: -1 }, '.weight', 'INVALID', 'a number, 0 or more'],
    [{ samples: 0 }, '.samples', 'INVALID', 'a whole number, 1 or more'],
    [{ length: 1 }, '.length', 'INVALID', 'a whole number, 2 or more'],
    [{ tokensPerStep: 0.5 }, '.tokensPerStep', 'INVALID', 'a whole number, 1 or more'],
    [{ every: '1' }, '.every', 'INVALID', 'write it without quotes'],
    [{ pullToBase: -0.1 }, '.pullToBase', 'INVALID', 'a number, 0 or more'],
    [{ source: 3 }, '.source', 'INVALID', '"self", a dataset, or a list of these'],
    [{ source: [] }, '.source', 'INVALID', '"self", a dataset, or a list of these'],
    [{ source: ['self', 'self'] }, '.source', 'CONTRADICTION', 'expected "self" once'],
    [{ source: ['self', 3] }, '.source[1]', 'INVALID', 'expected a path'],
    [{ source: ['b', 'b'] }, '.source[1]', 'CONTRADICTION', 'expected each dataset once'],
    [{ source: { dataset: 'b', split: 'x' } }, '.source.split', 'UNKNOWN_KEY', 'expected a known key'],
  ])('%j is refused', (value, path, code, message) => {
    const { faults } = read(value);
    expect(faults).toMatchObject([{ path: `trainingConfig.retention${path}`, code }]);
    expect(faults[0]!.message).toContain(message);
  });

  it('contradicts a model that begins with new weights', () => {
    const reader = new ConfigReader(false);
    const given = new Map(
      Object.entries({ retention: {}, fromScratch: true }).map(([key, value]) => [key, { value, path: key }]),
    );
    readRetention(reader, given, new Planner(reader, new Map()));
    expect(reader.faults).toMatchObject([{ path: 'retention', code: 'CONTRADICTION' }]);
  });

  it('tells all faults at once', () => {
    expect(read({ weight: -1, every: 0 }).faults).toHaveLength(2);
  });
});

describe('a bound on forgetting', () => {
  const { args, adaptiveLoss } = parseTrainerConfig({}, {});
  const bounded = { trainingConfig: args, adaptiveLossConfig: { ...adaptiveLoss, maxKlDivergence: 0.1 } };
  const withBound = ({ refusesRetention }: { refusesRetention: boolean }) => {
    const reader = new ConfigReader(false);
    const parts = { ...bounded, refusesRetention };
    return { config: withRetention(reader, parts, 'loss'), faults: reader.faults };
  };

  it('turns retention on', () => {
    const { config, faults } = withBound({ refusesRetention: false });
    expect(faults).toEqual([]);
    expect(config!.retention).toEqual({ ...defaults, auto: true });
  });

  it('contradicts retention that is turned off', () => {
    expect(withBound({ refusesRetention: true }).faults).toMatchObject([
      { path: 'loss.maxKlDivergence', code: 'CONTRADICTION' },
    ]);
  });
});

it("freezes no tracker of the user's own", () => {
  class Mine {
    count = 0;
    onEvent() {
      this.count++;
    }
    close() {}
  }
  const own = { seen: 0, onEvent() {}, close() {} };
  const mine = new Mine();
  const { args } = parseTrainerConfig({ args: { reportTo: [mine, own] } }, {});
  expect(Object.isFrozen(args.reportTo)).toBe(true);
  expect(Object.isFrozen(mine)).toBe(false);
  expect(Object.isFrozen(own)).toBe(false);
});
