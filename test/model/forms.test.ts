import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replaceFiles } from '../../src/common/replace-files.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { largestDifference } from '../helpers/differences.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const script = fileURLToPath(new URL('../../scripts/oracles/open_in_transformers.py', import.meta.url));
const row = [1, 5, 9, 30, 2, 44, 7];

/** A tiny model with an adapter that shows in the logits. */
async function adapted(name: string): Promise<CausalLM> {
  const lora = join(fixtures, 'extra/lora', name);
  return CausalLM.fromPretrained(lora);
}

/** Ways in which a folder may have come to hold a model. */
const forms: Record<string, (dir: string) => Promise<void>> = {
  whole: async (dir) => {
    const model = await CausalLM.fromPretrained(join(fixtures, 'models/gemma2'));
    await model.savePretrained(dir);
    model.dispose();
  },
  sharded: async (dir) => cpSync(join(fixtures, 'extra/models/llama-fp16-sharded'), dir, { recursive: true }),
  adapter: async (dir) => {
    const model = await adapted('qwen3-layers');
    await model.savePretrained(dir);
    model.dispose();
  },
  merged: async (dir) => {
    const model = await adapted('granite');
    await model.mergeAdapter();
    await model.savePretrained(dir);
    model.dispose();
  },
  pickled: async (dir) => {
    cpSync(join(fixtures, 'models/phi3/config.json'), join(dir, 'config.json'));
    for (const name of [
      'pytorch_model.bin.index.json',
      'pytorch_model-00001-of-00002.bin',
      'pytorch_model.bin',
    ])
      writeFileSync(join(dir, name), '{}');
    writeFileSync(join(dir, 'adapter_model.bin'), '');
    writeFileSync(join(dir, 'generation_config.json'), '{"eos_token_id": [3, 4]}');
  },
};
const saved: Record<string, () => Promise<CausalLM>> = {
  whole: () => CausalLM.fromPretrained(join(fixtures, 'models/llama')),
  'whole, read from shards': () => CausalLM.fromPretrained(join(fixtures, 'extra/models/qwen2-sharded')),
  adapter: () => adapted('llama'),
  merged: async () => {
    const model = await adapted('qwen2-dora');
    await model.mergeAdapter();
    return model;
  },
};
const pairs = Object.keys(forms).flatMap((there) => Object.keys(saved).map((next) => [next, there] as const));

async function logitsOf(dir: string): Promise<Float32Array> {
  const model = await CausalLM.fromPretrained(dir);
  try {
    return (await model.logits([row])).data;
  } finally {
    model.dispose();
  }
}

describe('savePretrained into a folder that holds something else', () => {
  it.each(pairs)('%s over %s: what was saved is what is opened, here and in Python', async (next, there) => {
    const dir = tempDir();
    await forms[there]!(dir);
    const model = await saved[next]!();
    const { data } = await model.logits([row]);
    await model.savePretrained(dir);
    const reopened = await CausalLM.fromPretrained(dir);
    expect(largestDifference((await reopened.logits([row])).data, data)).toBeLessThan(1e-6);
    expect(reopened.adapter === undefined).toBe(model.adapter === undefined);
    expect(reopened.eosTokenIds).toEqual(model.eosTokenIds);
    model.dispose();
    reopened.dispose();
    const kept = /^(README\.md|expected\.(json|safetensors))$/;
    const own = model.adapter
      ? ['adapter_config.json', 'adapter_model.safetensors']
      : ['config.json', 'generation_config.json', 'model.safetensors'];
    const found = readdirSync(dir).filter((name) => !kept.test(name));
    expect(own).toEqual(expect.arrayContaining(found));
    if (python === undefined) return;
    const answer = join(tempDir(), 'logits.safetensors');
    execFileSync(python, [script, dir, '--ids', JSON.stringify([row]), '--out', answer], { stdio: 'pipe' });
    const { logits } = readSafetensors(answer);
    expect(largestDifference(data, logits!.data as Float32Array)).toBeLessThan(2e-5);
  });

  it('is the old or the new model at every moment in between', async () => {
    const [dir, whole, adapter] = [tempDir(), tempDir(), tempDir()];
    await forms['whole']!(whole);
    await forms['adapter']!(adapter);
    const [ofWhole, ofAdapter] = [await logitsOf(whole), await logitsOf(adapter)];
    // A whole model over an adapter: its files come first, and the adapter is what is opened until its configuration goes.
    cpSync(adapter, dir, { recursive: true });
    for (const name of readdirSync(whole)) {
      cpSync(join(whole, name), join(dir, name));
      expect(await logitsOf(dir)).toEqual(ofAdapter);
    }
    rmSync(join(dir, 'adapter_config.json'));
    expect(await logitsOf(dir)).toEqual(ofWhole);
    // An adapter over a whole model, which is opened until the adapter's configuration comes.
    expect(existsSync(join(dir, 'adapter_model.safetensors'))).toBe(true);
    cpSync(join(adapter, 'adapter_config.json'), join(dir, 'adapter_config.json'));
    for (const name of readdirSync(whole)) {
      expect(await logitsOf(dir)).toEqual(ofAdapter);
      rmSync(join(dir, name));
    }
  });

  it('leaves the folder as it was when a file cannot be written', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'one'), 'old');
    writeFileSync(join(dir, 'stale'), 'old');
    const files = new Map([
      ['one', async (path: string) => writeFileSync(path, 'new')],
      ['two', () => Promise.reject(new Error('the disk is full'))],
    ]);
    await expect(replaceFiles(dir, files, ['stale'])).rejects.toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringMatching(/two.*the disk is full/),
    });
    expect(readdirSync(dir).sort()).toEqual(['one', 'stale']);
  });

  it('refuses to put an adapter in the place of its base', async () => {
    const dir = tempDir();
    await forms['whole']!(dir);
    const model = await CausalLM.fromPretrained(dir, { adapter: { r: 2 } });
    await expect(model.savePretrained(dir)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/another folder than that of the base model/),
    });
    model.dispose();
    expect((await logitsOf(dir)).length).toBeGreaterThan(0);
  });

  it('takes the files of another tokenizer away', async () => {
    const dir = tempDir();
    const source = fileURLToPath(new URL('../../examples/seed-lm', import.meta.url));
    for (const stale of [
      'vocab.json',
      'merges.txt',
      'added_tokens.json',
      'chat_template.json',
      'tokenizer.model',
    ])
      writeFileSync(join(dir, stale), '{}');
    const tokenizer = await Tokenizer.fromPretrained(source);
    await tokenizer.savePretrained(dir);
    expect(readdirSync(dir)).toEqual(expect.arrayContaining(['tokenizer.json', 'tokenizer_config.json']));
    const own = readdirSync(source);
    expect(readdirSync(dir).filter((file) => !own.includes(file))).toEqual([]);
  });
});
