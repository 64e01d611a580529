import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';

const least = { modelName: 'm', datasetsConfig: { ideas: ['a'] } };

describe('outputDir', () => {
  it('may stand beside the training configuration or in it', () => {
    expect(parseConfig({ ...least, outputDir: 'o' }, {}).outputDir).toBe('o');
    expect(parseConfig({ ...least, trainingConfig: { outputDir: 'o' } }, {}).outputDir).toBe('o');
    const snake = {
      model_name: 'm',
      datasets_config: { ideas: ['a'] },
      training_config: { output_dir: 'o' },
    };
    expect(parseConfig(snake, {}).outputDir).toBe('o');
    expect(parseTrainerConfig({ args: { outputDir: 'o' } }, {}).outputDir).toBe('o');
    expect(parseTrainerConfig({ outputDir: 'o' }, {}).outputDir).toBe('o');
    expect(parseTrainerConfig({}, {}).outputDir).toBeUndefined();
  });

  it('is one folder', () => {
    const twice = (outputDir: string) => () =>
      parseConfig({ ...least, outputDir, trainingConfig: { outputDir: 'o' } }, {});
    expect(twice('o')).not.toThrow();
    expect(twice('p')).toThrow(/trainingConfig\.outputDir: expected what outputDir says or nothing/);
    expect(() => parseTrainerConfig({ args: { output_dir: 'o' }, outputDir: 'p' }, {})).toThrow(
      /args\.output_dir: expected what outputDir says/,
    );
  });

  it('is checked where it stands', () => {
    expect(() => parseConfig({ ...least, trainingConfig: { outputDir: 3 } }, {})).toThrow(
      /found one fault:\n {2}trainingConfig\.outputDir: expected a string that is not empty, received 3/,
    );
    expect(() => parseConfig(least, {})).toThrow(/outputDir: expected a string that is not empty/);
    expect(() => parseTrainerConfig({ args: { outputDir: '' } }, {})).toThrow(/args\.outputDir/);
  });
});
