import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { textConfig } from '../../src/model/architecture/text-model.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';

const models = new URL('../fixtures/extra/models/', import.meta.url).pathname;
const row = [1, 5, 9, 30, 2, 44, 7];
const jsonAt = (...parts: string[]) =>
  JSON.parse(readFileSync(join(...parts), 'utf8')) as Record<string, unknown>;

describe.each(['gemma3-whole', 'gemma3-whole-names'])('the text model in %s', (name) => {
  it('is saved as a model of its own', async () => {
    const dir = tempDir();
    const model = await CausalLM.fromPretrained(join(models, name));
    const { data } = await model.logits([row]);
    await model.savePretrained(dir);
    model.dispose();
    const config = jsonAt(dir, 'config.json');
    expect(config).toMatchObject({
      model_type: 'gemma3_text',
      architectures: ['Gemma3ForCausalLM'],
      tie_word_embeddings: name !== 'gemma3-whole',
    });
    expect(Object.keys(config)).not.toEqual(expect.arrayContaining(['text_config']));
    const names = Object.keys(readSafetensors(join(dir, 'model.safetensors')));
    expect(names.every((one) => /^(model\.(embed_tokens|layers|norm)|lm_head)\b/.test(one))).toBe(true);
    const again = await CausalLM.fromPretrained(dir);
    expect((await again.logits([row])).data).toEqual(data);
    again.dispose();
  });

  it('has adapters under the names of the whole model, which find nothing in what sees', async () => {
    const dir = tempDir();
    const base = join(models, name);
    const model = await CausalLM.fromPretrained(base, {
      adapter: { r: 2, targetModules: ['q_proj', 'down_proj'] },
    });
    const { data } = await model.logits([row]);
    await model.savePretrained(dir);
    const targets = model.trainable.length;
    model.dispose();
    const names = Object.keys(readSafetensors(join(dir, 'adapter_model.safetensors')));
    expect(names).toHaveLength(targets);
    for (const one of names) expect(one).toMatch(/^base_model\.model\.model\.language_model\.layers\./);
    const rule = new RegExp(`^(?:${String(jsonAt(dir, 'adapter_config.json')['target_modules'])})$`);
    expect(rule.test('model.language_model.layers.0.self_attn.q_proj')).toBe(true);
    expect(rule.test('model.vision_tower.encoder.layers.0.self_attn.q_proj')).toBe(false);
    expect(rule.test('model.language_model.layers.0.self_attn.k_proj')).toBe(false);
    const again = await CausalLM.fromPretrained(dir);
    expect((await again.logits([row])).data).toEqual(data);
    again.dispose();
  });
});

it('ties and stops are those of the whole model', () => {
  const whole = {
    model_type: 'gemma3',
    text_config: { hidden_size: 8, eos_token_id: 1 },
    eos_token_id: [1, 106],
  };
  expect(textConfig(whole, 'config.json')).toEqual({
    ...{ model_type: 'gemma3_text', architectures: ['Gemma3ForCausalLM'], hidden_size: 8 },
    ...{ eos_token_id: [1, 106], tie_word_embeddings: true },
  });
  expect(() => textConfig({ model_type: 'gemma3', text_config: 3 }, 'config.json')).toThrow(/text_config/);
});
