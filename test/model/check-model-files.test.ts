import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { checkModelFiles } from '../../src/model/check-model-files.js';
import { modelIn } from '../../src/model/files/located-model.js';
import { longestRow } from '../../src/model/longest-row.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, tinyWeights, writeTinyModel } from '../helpers/tiny-model.js';
import { writeSafetensors } from '../helpers/write-safetensors.js';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));

describe('checkModelFiles', () => {
  it.each(['models/llama', 'models/gpt2', 'extra/models/llama-fp16-sharded', 'extra/lora/qwen2-saved'])(
    'takes %s for good',
    async (name) => {
      await expect(checkModelFiles(modelIn(join(fixtures, name)))).resolves.toBeDefined();
    },
  );

  it.each([
    ['a family that is not there', { model_type: 'mamba' }, 'MODEL_UNSUPPORTED', /mamba/],
    ['dropout of more than all', { attention_dropout: 1.1 }, 'MODEL_CONFIG_INVALID', /attention_dropout/],
    ['tensors that are missing', { num_hidden_layers: 3 }, 'WEIGHTS_MISMATCH', /9 missing: .*layers\.2/],
    ['tensors of another shape', { hidden_size: 32 }, 'WEIGHTS_MISMATCH', /of another shape/],
    ['a size that is none', { vocab_size: -3 }, 'MODEL_CONFIG_INVALID', /vocab_size/],
  ])('finds %s', async (_, change, code, message) => {
    const dir = writeTinyModel(tempDir());
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...tinyConfig, ...change }));
    await expect(checkModelFiles(modelIn(dir))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('shows ten names and a count, and says what a prefix means', async () => {
    const dir = writeTinyModel(tempDir());
    const weights = Object.entries(tinyWeights(tinyConfig));
    const prefixed = Object.fromEntries(weights.map(([name, tensor]) => [`language_model.${name}`, tensor]));
    writeSafetensors(join(dir, 'model.safetensors'), prefixed);
    const error = await checkModelFiles(modelIn(dir)).then(
      () => undefined,
      (found: Error) => found,
    );
    expect(error!.message).toMatch(/and 11 more/);
    expect(error!.message).toMatch(/begin with "language_model\.".*AutoModelForImageTextToText/);
    expect(error!.message.length).toBeLessThan(2500);
  });

  it('names the text model inside one that takes more than text', async () => {
    const dir = tempDir();
    const text = JSON.parse(readFileSync(join(fixtures, 'models/gemma3/config.json'), 'utf8')) as object;
    writeFileSync(
      join(dir, 'config.json'),
      JSON.stringify({ model_type: 'shieldgemma2', text_config: text }),
    );
    await expect(checkModelFiles(modelIn(dir))).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/text_config is a gemma3_text.*Take the text model out/),
    });
  });
});

describe('longestRow', () => {
  it('is what the positions of the model allow', async () => {
    const notes: string[] = [];
    const { decoder: gpt2 } = await checkModelFiles(modelIn(join(fixtures, 'models/gpt2')));
    const { decoder: llama } = await checkModelFiles(modelIn(join(fixtures, 'models/llama')));
    expect(longestRow(2048, gpt2, (note) => notes.push(note))).toBe(128);
    expect(notes).toEqual(['maxLengthToken is 2048, but the model has 128 positions: 128 is taken.']);
    expect(longestRow(100, gpt2, (note) => notes.push(note))).toBe(100);
    expect(longestRow(2048, llama, (note) => notes.push(note))).toBe(2048);
    expect(notes).toHaveLength(1);
  });
});

describe('savePretrained in a narrow type', () => {
  it('refuses weights that float16 cannot hold, and leaves what is there', async () => {
    const dir = writeTinyModel(tempDir());
    const weights = tinyWeights(tinyConfig);
    const [name, tensor] = Object.entries(weights)[1]!;
    tensor.data.set([70_000, -1e6, 65_519]);
    writeSafetensors(join(dir, 'model.safetensors'), weights);
    const model = await CausalLM.fromPretrained(dir);
    const out = tempDir();
    cpSync(writeTinyModel(tempDir(), {}, 5), out, { recursive: true });
    const before = readFileSync(join(out, 'model.safetensors'));
    await expect(model.savePretrained(out, { dtype: 'float16' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(`found larger ones in ${name} (2).`),
    });
    expect(readFileSync(join(out, 'model.safetensors'))).toEqual(before);
    await model.savePretrained(out, { dtype: 'bfloat16' });
    expect(readFileSync(join(out, 'model.safetensors')).length).toBeLessThan(before.length);
    // The largest that rounds down.
    tensor.data.set([65_519.9, -65_504, 1]);
    writeSafetensors(join(dir, 'model.safetensors'), weights);
    const lesser = await CausalLM.fromPretrained(dir);
    await lesser.savePretrained(out, { dtype: 'float16' });
    for (const one of [model, lesser]) one.dispose();
  });
});
