import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { readJsonFile } from '../../src/common/read-json-file.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

const models = new URL('../fixtures/models/', import.meta.url).pathname;

describe.each(readdirSync(models))('savePretrained of %s', (name) => {
  it('writes the tensors it read, under the same names and in the same shapes', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'adaptive-save-'));
    const model = await CausalLM.fromPretrained(join(models, name));
    await model.savePretrained(dir);
    model.dispose();
    const before = readSafetensors(join(models, name, 'model.safetensors'));
    const after = readSafetensors(join(dir, 'model.safetensors'));
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    for (const [key, tensor] of Object.entries(before)) {
      expect(after[key]!.shape, key).toEqual(tensor.shape);
      expect(largestDifference(numbers(after[key]!), numbers(tensor)), key).toBe(0);
    }
    const config = (path: string) => readJsonFile(join(path, 'config.json'), 'MODEL_CONFIG_INVALID');
    expect(await config(dir)).toEqual(await config(join(models, name)));
    // transformers 5 refuses 30 where it expects 30.0.
    const floats = (path: string) => readFileSync(join(path, 'config.json'), 'utf8').match(/\d+\.0\b/g);
    expect(floats(dir)).toEqual(floats(join(models, name)));
    rmSync(dir, { recursive: true });
  });
});
