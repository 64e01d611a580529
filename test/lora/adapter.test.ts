import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { runCommand } from '../cli/run-command.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';

const base = 'test/fixtures/models/llama';
const peft = 'test/fixtures/extra/lora/llama';

const faultsOf = async (peft_config: unknown) => {
  const input = { model_name: 'm', output_dir: 'o', datasets_config: { ideas: ['a.jsonl'] }, peft_config };
  const { details } = await errorOf(() => parseConfig(input), 'CONFIG_INVALID');
  return (details['faults'] as { path: string; code: string }[]).map(({ path, code }) => `${path} ${code}`);
};

/** A copy of the PEFT adapter whose configuration is changed. */
function changed(change: Record<string, unknown>): string {
  const dir = tempDir();
  cpSync(peft, dir, { recursive: true });
  const path = join(dir, 'adapter_config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const absolute = { base_model_name_or_path: join(process.cwd(), base) };
  writeFileSync(path, JSON.stringify({ ...config, ...absolute, ...change }));
  return dir;
}

describe('peftConfig', () => {
  const call = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a.jsonl'] } };

  it('takes PEFT’s keys in either spelling, and its defaults', () => {
    const snake = { r: 16, lora_alpha: 32, target_modules: ['q_proj'], modules_to_save: ['lm_head'] };
    const camel = { r: 16, alpha: 32, targetModules: ['q_proj'], modulesToSave: ['lm_head'] };
    const { peftConfig } = parseConfig({ ...call, peft_config: snake } as never);
    expect(parseConfig({ ...call, peftConfig: camel }).peftConfig).toEqual(peftConfig);
    expect(peftConfig).toMatchObject({ r: 16, loraAlpha: 32, useDora: false, bias: 'none' });
    expect(parseConfig({ ...call, peftConfig: {} }).peftConfig).toMatchObject({
      r: 8,
      loraAlpha: 8,
      loraDropout: 0,
    });
    expect(parseConfig(call).peftConfig).toBeNull();
    expect(parseConfig({ ...call, peftConfig: null }).peftConfig).toBeNull();
  });

  it('is refused with all faults at once', async () => {
    const wrong = {
      r: 0,
      lora_dropout: 1,
      bias: 'some',
      target_module: ['q_proj'],
      init_lora_weights: 'eva',
    };
    expect((await faultsOf(wrong)).sort()).toEqual([
      'peft_config.bias INVALID',
      'peft_config.init_lora_weights NOT_AVAILABLE',
      'peft_config.lora_dropout INVALID',
      'peft_config.r INVALID',
      'peft_config.target_module UNKNOWN_KEY',
    ]);
    expect(await faultsOf({ alpha: 1, lora_alpha: 2 })).toEqual(['peft_config.alpha CONTRADICTION']);
    expect(await faultsOf({ layers_to_transform: [1] })).toEqual([
      'peft_config.target_modules CONTRADICTION',
    ]);
    expect(await faultsOf('q_proj')).toEqual(['peft_config INVALID']);
  });

  it.each([
    [{ targetModules: ['q_proj', 'qkv_proj'] }, 'there is no module "qkv_proj"'],
    [{ targetModules: ['lm_head'], useDora: true }, 'it is not available for lm_head'],
    [{ targetModules: ['embed_tokens'], trainableTokenIndices: [1] }, 'is in targetModules too'],
    [{ modulesToSave: ['embed_tokens'], trainableTokenIndices: [1] }, 'name it in one of the two'],
    [{ trainableTokenIndices: { wte: [1] } }, 'there is no table "wte"'],
    [{ trainableTokenIndices: [1_000_000] }, 'token 1000000 is beyond the'],
    [{ targetParameters: ['input_layernorm.weight'] }, 'which is no matrix of a projection'],
    [{ targetModules: ['q_proj', 'input_layernorm'] }, 'input_layernorm are not available'],
    [{ targetParameters: ['experts.gate_up_proj'] }, 'there is no weight "experts.gate_up_proj"'],
    [{ targetParameters: ['q_proj.weight'] }, 'in targetModules too'],
    [{ targetParameters: ['k_proj.weight'], loraDropout: 0.1 }, 'it goes with loraDropout 0 alone'],
    [
      { targetModules: ['q_proj'], modulesToSave: ['head'], excludeModules: ['q_proj'] },
      'no module of this model fits',
    ],
    [{ targetModules: '(' }, 'Expected a regular expression of Python for targetModules'],
  ])('%j does not fit a Llama', async (config, message) => {
    const model = await CausalLM.fromPretrained(base);
    const error = await errorOf(() => model.addAdapter(config), 'CONFIG_INVALID');
    expect(error.message).toContain(message);
    expect(model.adapter).toBeUndefined();
    model.dispose();
  });

  it('needs targetModules where PEFT has no usual ones', async () => {
    const model = await CausalLM.fromPretrained('test/fixtures/models/phi3');
    const error = await errorOf(() => model.addAdapter(), 'CONFIG_INVALID');
    expect(error.message).toMatch(/usual ones for phi3: "all-linear" or some of .*qkv_proj/);
    model.dispose();
  });

  it('trains one of the fused projections whole, and the others not', async () => {
    const model = await CausalLM.fromPretrained(base);
    await model.addAdapter({ targetModules: ['q_proj'], modulesToSave: ['k_proj'] });
    const names = model.trainable.map(({ name }) => name.replace(/.*self_attn\./, ''));
    expect(new Set(names)).toEqual(
      new Set(['q_proj.lora_A.weight', 'q_proj.lora_B.weight', 'k_proj.weight']),
    );
    model.dispose();
  });
});

describe('an adapter', () => {
  it('is added once, and not merged twice', async () => {
    const model = await CausalLM.fromPretrained(base, { adapter: {} });
    await errorOf(() => model.addAdapter(), 'INVALID_INPUT');
    await errorOf(() => model.resizeTokenEmbeddings(300), 'INVALID_INPUT');
    await model.mergeAdapter();
    await errorOf(() => model.mergeAdapter(), 'INVALID_INPUT');
    await model.addAdapter();
    model.dispose();
    await errorOf(() => CausalLM.fromPretrained(peft, { adapter: {} }), 'INVALID_INPUT');
  });

  it('generates what its merged model does', async () => {
    const model = await CausalLM.fromPretrained(peft);
    const options = { maxNewTokens: 12, stopTokenIds: [] };
    const before = await model.generate([1, 2, 3], options).collect();
    await model.mergeAdapter();
    expect(await model.generate([1, 2, 3], options).collect()).toEqual(before);
    model.dispose();
  });

  it('brings along embeddings of another size', async () => {
    const model = await CausalLM.fromPretrained(base);
    await model.resizeTokenEmbeddings(model.vocabSize + 5, { seed: 3 });
    await model.addAdapter({ r: 2 });
    const dir = tempDir();
    await model.savePretrained(dir);
    const again = await CausalLM.fromPretrained(dir);
    const rows = [[1, model.vocabSize - 1, 3]];
    expect((await again.logits(rows)).data).toEqual((await model.logits(rows)).data);
    model.dispose();
    again.dispose();
  });

  it.each([
    [{ bias: 'some' }, 'CONFIG_INVALID', 'bias'],
    [{ peft_type: 'IA3' }, 'MODEL_UNSUPPORTED', 'peft_type: "IA3"'],
    [{ lora_bias: true, layer_replication: [[0, 2]] }, 'MODEL_UNSUPPORTED', 'layer_replication'],
    [{ base_model_name_or_path: null }, 'MODEL_NOT_FOUND', 'base_model_name_or_path'],
    [{ base_model_name_or_path: '/nowhere/at all' }, 'MODEL_NOT_FOUND', '/nowhere/at all'],
    [{ r: 5 }, 'WEIGHTS_MISMATCH', 'expected [5,'],
    [{ target_modules: ['q_proj', 'k_proj'] }, 'WEIGHTS_MISMATCH', 'self_attn.k_proj.lora_A.weight'],
  ] as const)('of Python with %j is refused', async (change, code, message) => {
    const error = await errorOf(() => CausalLM.fromPretrained(changed(change)), code);
    expect(error.message).toContain(message);
  });

  it('without its weights, or with pickled ones, is refused', async () => {
    const dir = changed({});
    rmSync(join(dir, 'adapter_model.safetensors'));
    await errorOf(() => CausalLM.fromPretrained(dir), 'MODEL_NOT_FOUND');
    writeFileSync(join(dir, 'adapter_model.bin'), '');
    await errorOf(() => CausalLM.fromPretrained(dir), 'MODEL_UNSUPPORTED');
  });
});

describe('trainAdaptively with peft_config', () => {
  it('writes an adapter that opens by its folder, with its tokenizer, here and on the command line', async () => {
    const outputDir = tempDir();
    const data = join(tempDir(), 'train.jsonl');
    const line = (i: number) => JSON.stringify({ question: `What is ${i}?`, answer: `It is ${i}.` });
    writeFileSync(data, Array.from({ length: 12 }, (_, i) => line(i)).join('\n'));
    const path = await trainAdaptively(
      {
        model_name: 'examples/seed-lm',
        output_dir: outputDir,
        datasets_config: { ideas: [data] },
        training_config: {
          max_steps: 2,
          gradient_accumulation_steps: 1,
          bf16: true,
          eval_strategy: 'no',
          batch_size: 2,
        },
        peft_config: { r: 4, lora_alpha: 8, lora_dropout: 0.1, target_modules: 'all-linear' },
      } as never,
      { progress: false },
    );
    const config = JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(config).toMatchObject({ peft_type: 'LORA', r: 4, lora_alpha: 8, target_modules: 'all-linear' });
    expect(config['base_model_name_or_path']).toBe(join(process.cwd(), 'examples/seed-lm'));
    const model = await CausalLM.fromPretrained(path);
    expect(model.adapter!.config.r).toBe(4);
    model.dispose();
    expect((await Tokenizer.fromPretrained(path)).encode('a').length).toBeGreaterThan(0);
    const { status, stdout, stderr } = await runCommand('src/cli/main.ts', [
      'generate',
      path,
      'It is',
      '--max-new-tokens',
      '4',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trim().length).toBeGreaterThan(0);
    // Python's peft saves no tokenizer beside an adapter.
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) rmSync(join(path, name));
    expect((await Tokenizer.fromPretrained(path)).encode('a').length).toBeGreaterThan(0);
  });
});
