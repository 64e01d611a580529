import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { yamlText } from '../../src/cli/import-config.js';
import { importConfig } from '../../src/config/import/import-config.js';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { configFaults } from './config-faults.js';

const least = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } };
const trainingOf = (trainingConfig: object) =>
  parseConfig({ ...least, trainingConfig, peftConfig: {} }, {}).trainingConfig;

describe('a base in fewer bits', () => {
  it('is asked for as in transformers, in either spelling', () => {
    expect(trainingOf({})).toMatchObject({
      ...{ loadIn4bit: false, loadIn8bit: false, bnb4bitQuantType: 'nf4', bnb4bitUseDoubleQuant: true },
      llmInt8SkipModules: null,
    });
    const snake = {
      ...{ load_in_4bit: true, bnb_4bit_quant_type: 'fp4', bnb_4bit_use_double_quant: false },
      ...{ bnb_4bit_quant_storage: null, llm_int8_skip_modules: ['lm_head'] },
    };
    const camel = {
      ...{ loadIn4bit: true, bnb4bitQuantType: 'fp4', bnb4bitUseDoubleQuant: false },
      llmInt8SkipModules: ['lm_head'],
    };
    expect(trainingOf(snake)).toEqual(trainingOf(camel));
    expect(trainingOf(snake)).toMatchObject(camel);
  });

  it('is computed in what bnb_4bit_compute_dtype says, where nothing else does', () => {
    expect(trainingOf({ load_in_4bit: true, bnb_4bit_compute_dtype: 'float32' }).precision).toBe('fp32');
    expect(trainingOf({ load_in_4bit: true, bnb_4bit_compute_dtype: 'bfloat16' })).toMatchObject({
      precision: 'bf16',
      bf16: true,
    });
    expect(trainingOf({ bnb_4bit_compute_dtype: 'bfloat16', precision: 'bf16-true' }).precision).toBe(
      'bf16-true',
    );
    expect(trainingOf({ bnb_4bit_compute_dtype: null })).not.toHaveProperty('bnb4bitComputeDtype');
  });

  it.each([
    [{ load_in_4bit: true, load_in_8bit: true }, 'load_in_8bit', /at most one/],
    [{ load_in_4bit: true, from_scratch: true }, 'load_in_4bit', /all weights trained/],
    [{ bnb_4bit_compute_dtype: 'float32', precision: 'bf16' }, 'bnb_4bit_compute_dtype', /precision/],
    [{ bnb_4bit_compute_dtype: 'float32', bf16: true }, 'bnb_4bit_compute_dtype', /bf16/],
    [{ bnb_4bit_quant_type: 'int4' }, 'bnb_4bit_quant_type', /"nf4" or "fp4"/],
    [{ llm_int8_skip_modules: 'lm_head' }, 'llm_int8_skip_modules', /list/],
    [{ bnb_4bit_compute_dtype: 'float16' }, 'bnb_4bit_compute_dtype', /"float32" or "bfloat16"/],
  ])('%j is a fault', (trainingConfig, key, message) => {
    const faults = configFaults({ ...least, trainingConfig });
    expect(faults).toHaveLength(1);
    expect(faults[0]!.path).toBe(`trainingConfig.${key}`);
    expect(faults[0]!.message).toMatch(message);
  });
});

describe('import-config', () => {
  const imported = (text: string) => {
    const result = importConfig(parse(text));
    const { warnings, ...config } = parseConfig(parse(yamlText(result)), {});
    expect(warnings).toEqual([]);
    return { ...result, training: config.trainingConfig };
  };

  it("makes axolotl's qlora into a base in 4 bits", () => {
    const { training, notes } = imported(`
base_model: m
datasets: [{ path: d, type: alpaca }]
adapter: qlora
lora_r: 8
bnb_config_kwargs: { bnb_4bit_use_double_quant: false, llm_int8_has_fp16_weight: false }
`);
    expect(training).toMatchObject({ loadIn4bit: true, bnb4bitUseDoubleQuant: false });
    expect(notes.join('\n')).toMatch(/llm_int8_has_fp16_weight/);
    expect(notes.join('\n')).not.toMatch(/qlora/);
  });

  it("carries TRL's settings over, with its own defaults", () => {
    const settings = 'model_name_or_path: m\ndataset_name: d\nuse_peft: true\nload_in_4bit: true\n';
    expect(imported(settings).training).toMatchObject({
      ...{ loadIn4bit: true, bnb4bitQuantType: 'nf4', bnb4bitUseDoubleQuant: false },
    });
    expect(imported(`${settings}use_bnb_nested_quant: true`).training.bnb4bitUseDoubleQuant).toBe(true);
    expect(imported(settings.replace('4bit', '8bit')).training).toMatchObject({ loadIn8bit: true });
  });
});
