import { describe, expect, it } from 'vitest';
import { applySettings, readSetting } from '../../src/config/read/apply-settings.js';
import { parseConfig } from '../../src/config/read/parse-config.js';

const setting = (text: string) => readSetting(text)!;
const changed = (config: unknown, ...texts: string[]) => applySettings(config, texts.map(setting));

describe('readSetting', () => {
  it.each([
    ['a.b=2', ['a', 'b'], 2],
    ['a=x=y', ['a'], 'x=y'],
    ['a=', ['a'], ''],
    ['a=" 2"', ['a'], ' 2'],
    ['a={"r": [1, null]}', ['a'], { r: [1, null] }],
    ['a.lr=2e-5', ['a', 'lr'], 2e-5],
    ['a=True', ['a'], 'True'],
    ['a.b[0]=x', ['a', 'b', '0'], 'x'],
    ['a["x.y=z"].b=1', ['a', 'x.y=z', 'b'], 1],
    ['a."x.y".b=1', ['a', 'x.y', 'b'], 1],
    ['a.data/rows.jsonl=1', ['a', 'data/rows', 'jsonl'], 1],
  ])('%s', (text, keys, value) => {
    expect(readSetting(text)).toEqual({ text, keys, value });
  });

  it.each(['', 'a', '=1', 'a..b=1', '.a=1', 'a.=1', 'a[=1', 'a[x]=1', '"a=1'])('%j is none', (text) => {
    expect(readSetting(text)).toBeUndefined();
  });
});

describe('applySettings', () => {
  it('sets values in the spelling that is there, and leaves the rest', () => {
    const config = { trainingConfig: { batchSize: 1, seed: 3 }, peft_config: null };
    const got = changed(config, 'training_config.batch_size=2', 'peftConfig.r=8', 'modelName=m');
    expect(got).toEqual({
      ...{ trainingConfig: { batchSize: 2, seed: 3 }, peft_config: { r: 8 }, modelName: 'm' },
    });
    expect(config.trainingConfig.batchSize).toBe(1);
  });

  it('finds names with dots, and items of lists', () => {
    const config = { datasets_kwargs: { 'data/rows.jsonl': { seed: 1 } }, ideas: ['a', 'b'] };
    expect(changed(config, 'datasets_kwargs.data/rows.jsonl.seed=2', 'ideas[1]=c', 'ideas[2]=d')).toEqual({
      datasets_kwargs: { 'data/rows.jsonl': { seed: 2 } },
      ideas: ['a', 'c', 'd'],
    });
  });

  it('makes no prototype', () => {
    changed({}, '__proto__.polluted=1', 'constructor.prototype.polluted=1');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['modelName.x=1', 'modelName: expected an object or a list'],
    ['ideas[5]=1', 'ideas: expected an index of its 1 items'],
    ['ideas.first=1', 'ideas: expected an index of its 1 items'],
  ])('%s is refused', (text, message) => {
    expect(() => changed({ modelName: 'm', ideas: ['a'] }, text)).toThrow(message);
  });

  it('leaves unknown keys to the schema', () => {
    const config = changed({ model_name: 'm', output_dir: 'o' }, 'training_config.batch_sise=2');
    expect(() => parseConfig(config)).toThrow(
      'training_config.batch_sise: expected a known key, received an unknown one; did you mean "batch_size"?',
    );
  });
});
