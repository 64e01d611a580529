import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { QuantizationOptions } from '../../src/model/quantization/quantization.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers } from '../helpers/read-safetensors.js';
import { expectGradients, expectTraining, readReference } from '../helpers/reference-model.js';
import { tempDir } from '../helpers/temp-dir.js';

interface Case {
  bits: {
    load_in_8bit?: boolean;
    bnb_4bit_quant_type?: 'nf4' | 'fp4';
    bnb_4bit_use_double_quant?: boolean;
    llm_int8_skip_modules?: string[];
  };
}

const root = 'test/fixtures/extra/qlora';
const cases = readdirSync(root).map((name) => ({ name, dir: join(root, name) }));

/** What the checkpoint of a case was made with, as an option here. */
function optionsOf({ bits }: Case): QuantizationOptions {
  return {
    type: bits.load_in_8bit === true ? 'int8' : bits.bnb_4bit_quant_type!,
    doubleQuant: bits.bnb_4bit_use_double_quant === true,
    skipModules: bits.llm_int8_skip_modules ?? [],
  };
}

const digestOf = (model: CausalLM) => model.call((native) => native.weightsDigest());

/** A copy of a folder, with a change of its config.json. */
function changed(dir: string, change: (config: Record<string, unknown>) => void): string {
  const copy = tempDir();
  cpSync(dir, copy, { recursive: true });
  const path = join(copy, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  change(config);
  writeFileSync(path, JSON.stringify(config));
  return copy;
}

describe.each(cases)('the quantised base $name', ({ dir }) => {
  it('is, byte by byte, what bitsandbytes makes of the whole weights', async () => {
    const { expected } = readReference<Case>(dir);
    const stored = await CausalLM.fromPretrained(join(dir, 'quantized'));
    const made = await CausalLM.fromPretrained(join(dir, 'base'), { quantization: optionsOf(expected) });
    expect(made.quantization).toEqual(stored.quantization);
    expect(await digestOf(made)).toBe(await digestOf(stored));
    const whole = await CausalLM.fromPretrained(join(dir, 'base'));
    expect(await digestOf(whole)).not.toBe(await digestOf(stored));
    for (const model of [stored, made, whole]) model.dispose();
  });

  it('gives the logits of bitsandbytes, alone and under the adapter', async () => {
    const { arrays, rows } = readReference(dir);
    const base = await CausalLM.fromPretrained(join(dir, 'quantized'));
    const alone = numbers(arrays['baseLogits']!);
    expect(largestDifference((await base.logits(rows.slice(0, 1))).data, alone)).toBeLessThan(2e-5);
    base.dispose();
    const model = await CausalLM.fromPretrained(dir);
    const wanted = numbers(arrays['logits']!);
    expect(largestDifference((await model.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    model.dispose();
  });

  it.each([false, true])('gives every gradient of peft on it (checkpointing: %s)', (checkpointing) =>
    expectGradients(dir, checkpointing),
  );

  it('follows the losses and gradient norms of twenty AdamW steps', () => expectTraining(dir));

  it('computes the same in bfloat16, to its rounding, and generates', async () => {
    const { arrays, rows } = readReference(dir);
    const wanted = numbers(arrays['logits']!);
    const model = await CausalLM.fromPretrained(dir, { dtype: 'bfloat16' });
    expect(largestDifference((await model.logits(rows)).data, wanted)).toBeLessThan(0.05);
    const tokens = await model.generate(rows[0]!.slice(0, 4), { maxNewTokens: 5 }).collect();
    expect(tokens.length).toBeGreaterThan(0);
    model.dispose();
  });

  it('is made whole again by merging, and saved as a plain model', async () => {
    const { arrays, rows } = readReference(dir);
    const model = await CausalLM.fromPretrained(dir);
    await model.mergeAdapter();
    expect(model.quantization).toBeUndefined();
    const saved = tempDir();
    await model.savePretrained(saved);
    model.dispose();
    const plain = await CausalLM.fromPretrained(saved);
    expect(plain.config['quantization_config']).toBeUndefined();
    const wanted = numbers(arrays['logits']!);
    expect(largestDifference((await plain.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    plain.dispose();
  });
});

describe('a quantised base', () => {
  const dir = join(root, 'llama-nf4');
  const rejected = (options: object, code: string, message: RegExp, from = join(dir, 'quantized')) =>
    expect(CausalLM.fromPretrained(from, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });

  it('has the same adapter drawn, whatever the base is kept in', async () => {
    const row = [[3, 5, 8, 13, 21]];
    const options = { adapter: { r: 4, targetModules: 'all-linear' as const } };
    const base = join(dir, 'base');
    const model = await CausalLM.fromPretrained(base, { ...options, quantization: {} });
    const plain = await CausalLM.fromPretrained(base, { quantization: {} });
    // B is 0 at first.
    expect((await model.logits(row)).data).toEqual((await plain.logits(row)).data);
    expect(model.trainableCount).toBeLessThan(model.parameterCount);
    model.dispose();
    plain.dispose();
  });

  it('is not trained or saved without an adapter', async () => {
    const model = await CausalLM.fromPretrained(join(dir, 'quantized'));
    await expect(model.savePretrained(tempDir())).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(model.quantization).toMatchObject({ type: 'nf4', doubleQuant: true });
    model.dispose();
  });

  it('is refused by name where it cannot be what it says', async () => {
    const stored = join(dir, 'quantized');
    await rejected({ quantization: { type: 'int8' } }, 'INVALID_INPUT', /4 bits .* int8/);
    await rejected({ quantization: { type: 'nf5' } }, 'INVALID_INPUT', /nf4/);
    await rejected({ quantization: { skipModules: ['('] } }, 'INVALID_INPUT', /regular/, join(dir, 'base'));
    await rejected(
      { quantization: { skipModules: ['model'] } },
      'INVALID_INPUT',
      /all of them/,
      join(dir, 'base'),
    );
    const gptq = changed(
      stored,
      (config) => (config['quantization_config'] = { quant_method: 'gptq', bits: 4 }),
    );
    await rejected({}, 'MODEL_UNSUPPORTED', /gptq/, gptq);
    const silent = changed(stored, (config) => delete config['quantization_config']);
    await rejected({}, 'WEIGHTS_MISMATCH', /absmax/, silent);
  });

  it.each([
    ['"quant_type": "nf4"', '"quant_type": "nf9"', 'SAFETENSORS_INVALID', /quant_type/],
    ['"blocksize": 64', '"blocksize": 65', 'SAFETENSORS_INVALID', /blocksize/],
    ['"nested_blocksize": 256', '"nested_blocksize": 128', 'MODEL_UNSUPPORTED', /nested_blocksize/],
    ['.weight.absmax"', '.weight.absmaz"', 'WEIGHTS_MISMATCH', /absmaz|quant_state/],
  ])('with %s as %s is refused', async (from, to, code, message) => {
    const copy = tempDir();
    mkdirSync(copy, { recursive: true });
    cpSync(join(dir, 'quantized'), copy, { recursive: true });
    const path = join(copy, 'model.safetensors');
    const bytes = readFileSync(path);
    const at = bytes.indexOf(from);
    expect(at).toBeGreaterThan(0);
    bytes.write(to, at);
    writeFileSync(path, bytes);
    await rejected({}, code, message, copy);
  });
});
