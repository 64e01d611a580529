import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { configFaults } from './config-faults.js';
import { configGroups } from '../../src/config/schema/config-groups.js';
import { otherTrainers } from '../../src/config/schema/other-trainers.js';
import { snakeCase } from '../../src/common/snake-case.js';

// The settings that the trainers' own classes have (scripts/oracles/trainer_keys.py).
const file = new URL('../fixtures/trainer-keys/keys.json', import.meta.url);
const { versions: _versions, ...keys } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string[]>;
const ofCall = [
  'modelName',
  'outputDir',
  'huggingfaceRepo',
  'datasetsConfig',
  'systemPrompts',
  'datasetsKwargs',
  'peftConfig',
];
const own = [...Object.values(configGroups).flat(), ...ofCall];
const ownNames = new Set(own.map(snakeCase));

describe('the table of what becomes of settings of other trainers', () => {
  it.each(Object.keys(keys))('has a verdict for every one of %s that is no key here', (trainer) => {
    expect(keys[trainer]!.length).toBeGreaterThan(20);
    expect(keys[trainer]!.filter((key) => !ownNames.has(key) && !otherTrainers.has(key))).toEqual([]);
  });

  it('has none for a key that is one here, or that no trainer has', () => {
    const known = new Set(Object.values(keys).flat());
    expect([...otherTrainers.keys()].filter((key) => ownNames.has(key) || !known.has(key))).toEqual([]);
  });

  it('names keys that are there', () => {
    for (const [key, verdict] of otherTrainers)
      if (verdict.kind === 'renamed') expect(own, key).toContain(verdict.to);
  });
});

describe('in a training configuration', () => {
  const least = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } };

  it('what changes nothing is accepted, with one line that says what is done instead', () => {
    const trainingConfig = {
      ...{ packing: true, groupByLength: true, dataloader_num_workers: 4, ddp_find_unused_parameters: true },
      ...{ torch_compile: true, disable_tqdm: true, batch_size: 2 },
    };
    const config = parseConfig({ ...least, trainingConfig }, {});
    expect(config.trainingConfig.batchSize).toBe(2);
    expect(config.trainingConfig).not.toHaveProperty('packing');
    expect(config.warnings.map(({ code }) => code)).toEqual(Array(6).fill('KEY_WITHOUT_EFFECT'));
    expect(config.warnings[0]!.message).toMatch(
      /^trainingConfig\.packing has no effect here: nothing is padded/,
    );
    expect(config.warnings[1]!.message).toMatch(
      /^trainingConfig\.groupByLength has no effect here: rows of similar/,
    );
  });

  it('what is turned off is accepted without a word', () => {
    const trainingConfig = {
      ...{ deepspeed: null, fsdp: '', push_to_hub: false, label_smoothing_factor: 0, packing: false },
      ...{ group_by_length: false, load_in_4bit: false, fsdp_config: {} },
    };
    expect(parseConfig({ ...least, trainingConfig }, {}).warnings).toEqual([]);
  });

  it.each([
    [{ deepspeed: 'ds.json' }, /each process holds the whole model.*leave it out/],
    [{ push_to_hub: true }, /name the repository with huggingfaceRepo/],
    [{ hub_token: 'hf_x' }, /set the variable HF_TOKEN/],
    [{ per_device_train_batch_size: 4 }, /it is "batchSize" in trainingConfig here/],
    [{ perDeviceTrainBatchSize: 4 }, /it is "batchSize" in trainingConfig here/],
    [{ lora_r: 4, batch_size: 2 }, /it is "r" in peftConfig here/],
    [{ gptq: true }, /in 4 or 8 bits as bitsandbytes does \(loadIn4bit, loadIn8bit\)/],
  ])('what is not there, or has another name, is refused with what to do: %j', (trainingConfig, message) => {
    const faults = configFaults({ ...least, trainingConfig });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ code: 'UNKNOWN_KEY' });
    expect(faults[0]!.message).toMatch(message);
  });

  it('beside it, and in another group, such a key is refused with the same words', () => {
    const at = (input: object) => configFaults(input).map(({ path, message }) => `${path}: ${message}`);
    expect(at({ ...least, packing: true })[0]).toMatch(/^packing: .*remove it: nothing is padded/);
    expect(at({ ...least, base_model: 'x' })[0]).toMatch(/^base_model: .*it is "modelName" here/);
    expect(at({ ...least, peftConfig: { lora_r: 4 } })[0]).toMatch(/it is "r" in peftConfig here/);
  });

  it("the whole of the Hugging Face Trainer's defaults holds nothing that is refused but names", () => {
    const text = readFileSync(new URL('../fixtures/trainer-keys/defaults.json', import.meta.url), 'utf8');
    const all = JSON.parse(text) as Record<string, unknown>;
    const given = Object.entries(all).filter(([key]) => otherTrainers.get(key)?.kind !== 'renamed');
    const others = Object.fromEntries(given.filter(([key]) => otherTrainers.has(key)));
    expect(Object.keys(others).length).toBeGreaterThan(80);
    expect(parseConfig({ ...least, trainingConfig: others }, {}).warnings).toEqual([]);
  });
});
