import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tempDir } from '../helpers/temp-dir.js';

// Not among the dependencies: it brings 470 MB of onnxruntime.
const folder = process.env['ADAPTIVE_TRAINER_TRANSFORMERS_JS'];
const why = folder
  ? ''
  : ' (skipped: set ADAPTIVE_TRAINER_TRANSFORMERS_JS to a folder of @huggingface/transformers)';

interface Library {
  env: { allowRemoteModels: boolean; localModelPath: string };
  AutoConfig: { from_pretrained: (name: string) => Promise<Record<string, unknown>> };
}

async function library(): Promise<Library> {
  const { exports } = JSON.parse(readFileSync(join(folder!, 'package.json'), 'utf8')) as {
    exports: { node: { import: { default: string } } };
  };
  const entry = resolve(folder!, exports.node.import.default);
  return (await import(pathToFileURL(entry).href)) as Library;
}

describe.skipIf(!folder)(`a saved model in transformers.js${why}`, () => {
  it.each(readdirSync('test/fixtures/models'))('%s is read by AutoConfig', async (name) => {
    const { env, AutoConfig } = await library();
    const model = await CausalLM.fromPretrained(join('test/fixtures/models', name), { ignoreDropout: true });
    const dir = join(tempDir(), name);
    await model.savePretrained(dir);
    env.allowRemoteModels = false;
    env.localModelPath = `${dirname(dir)}/`;
    const read = await AutoConfig.from_pretrained(name);
    // Under one set of names, as it makes its caches from.
    const { layers, heads, kvHeads } = model.decoder;
    const normalized = read['normalized_config'] as Record<string, number>;
    expect(normalized['num_layers']).toBe(layers.length);
    expect([heads, kvHeads]).toContain(normalized['num_heads']);
    for (const [key, value] of Object.entries(model.config)) expect(read[key], key).toEqual(value);
    model.dispose();
  });
});
