import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { yamlText } from '../../src/cli/import-config.js';
import { importConfig } from '../../src/config/import/import-config.js';
import { parseConfig } from '../../src/config/read/parse-config.js';

const fixtures = new URL('../fixtures/trainer-keys/', import.meta.url);
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')) as Record<string, unknown>;

/** What is made of a configuration, read back from what is printed: it is valid. */
function imported(text: string) {
  const result = importConfig(parse(text));
  const printed = yamlText(result);
  const { warnings, ...config } = parseConfig(parse(printed), { HF_TOKEN: 'hf_x' });
  expect(warnings).toEqual([]);
  return { ...result, printed, config };
}

describe('a configuration of axolotl', () => {
  const { config, notes, printed, from } = imported(`
base_model: someone/tiny-llama
datasets:
  - path: someone/instructions
    type: alpaca
  - path: ./chats.jsonl
    ds_type: json
    type: chat_template
    field_messages: turns
    split: test
  - path: someone/many
    name: fr
    split: "train[:10%]"
val_set_size: 0.1
output_dir: ./lora-out
adapter: lora
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_linear: true
sequence_len: 2048
sample_packing: true
pad_to_sequence_len: true
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 2
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 2e-4
bf16: auto
tf32: true
gradient_checkpointing: true
flash_attention: true
logging_steps: 1
evals_per_epoch: 1
saves_per_epoch: 1
weight_decay: 0.1
wandb_project: mine
wandb_name: first
deepspeed: deepspeed_configs/zero2.json
hub_model_id: me/tiny
special_tokens:
  pad_token: "<|end_of_text|>"
made_up_key: 3
`);

  it('becomes one that trains likewise', () => {
    expect(from).toBe('axolotl');
    expect(config).toMatchObject({
      modelName: 'someone/tiny-llama',
      outputDir: './lora-out',
      huggingfaceRepo: 'me/tiny',
    });
    expect(config.datasetsConfig).toEqual({
      misc: [
        'someone/instructions',
        { dataset: './chats.jsonl', columns: { messages: 'turns' }, train_split: 'test' },
        { dataset: 'someone/many', name: 'fr' },
      ],
    });
    expect(config.trainingConfig).toMatchObject({
      ...{
        batchSize: 2,
        gradientAccumulationSteps: 4,
        numEpochs: 2,
        maxLengthToken: 2048,
        learningRate: 2e-4,
      },
      ...{ optimizer: 'adamw_bnb_8bit', lrSchedulerType: 'cosine', bf16: true, gradientCheckpointing: true },
      ...{ evalStrategy: 'epoch', saveStrategy: 'epoch', weightDecay: 0.1, reportTo: ['wandb'] },
      ...{ wandbProject: 'mine', runName: 'first', saveTotalLimit: null },
    });
    expect(config.peftConfig).toMatchObject({
      r: 16,
      loraAlpha: 32,
      loraDropout: 0.05,
      targetModules: 'all-linear',
    });
    expect(config.adaptiveLossConfig.loss).toBe('ce');
  });

  it('has a comment for every setting that could not be carried over', () => {
    const left = [
      'datasets[2].split',
      'val_set_size',
      'sample_packing',
      'pad_to_sequence_len',
      'tf32',
      'flash_attention',
    ];
    const names = notes.map((note) => note.split(':')[0]);
    expect(names.sort()).toEqual([...left, 'deepspeed', 'special_tokens', 'made_up_key'].sort());
    for (const note of notes) expect(printed).toContain(`#   ${note}\n`);
    expect(printed).toContain(
      '#   deepspeed: "deepspeed_configs/zero2.json": each process holds the whole model',
    );
  });
});

describe("a configuration of TRL's SFT", () => {
  const { config, notes, printed, from, comments } = imported(`
model_name_or_path: someone/tiny-qwen
dataset_name: someone/chats
dataset_config: en
dataset_test_split: validation
output_dir: sft
learning_rate: 1.0e-4
num_train_epochs: 1
packing: true
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
gradient_checkpointing: false
eval_strategy: steps
eval_steps: 50
save_steps: 100
load_best_model_at_end: true
metric_for_best_model: eval_loss
use_peft: true
lora_target_modules: [q_proj, v_proj]
max_length: 4096
attn_implementation: flash_attention_2
push_to_hub: false
hub_model_id: me/qwen
hub_token: hf_abcdefghijklmnopqrstuvwxyz
report_to: none
`);

  it("becomes one that trains likewise, with TRL's defaults", () => {
    expect(from).toBe('TRL');
    expect(config.datasetsConfig).toEqual({
      misc: [{ dataset: 'someone/chats', name: 'en', val_split: 'validation' }],
    });
    expect(config.huggingfaceRepo).toBeNull();
    expect(config.trainingConfig).toMatchObject({
      ...{ batchSize: 2, evalBatchSize: 8, gradientAccumulationSteps: 8, numEpochs: 1, learningRate: 1e-4 },
      ...{ lrSchedulerType: 'linear', warmupSteps: 0, weightDecay: 0, optimizer: 'adamw_torch_fused' },
      ...{ fp16: false, bf16: false, precision: 'fp32', gradientCheckpointing: false, maxLengthToken: 4096 },
      ...{ evalSteps: 50, saveSteps: 100, loadBestModelAtEnd: true, reportTo: 'none' },
    });
    expect(config.peftConfig).toMatchObject({
      r: 16,
      loraAlpha: 32,
      loraDropout: 0.05,
      targetModules: ['q_proj', 'v_proj'],
    });
    expect(comments.get('training_config.weight_decay')).toBe('the default of TRL');
  });

  it('shows no access token', () => {
    expect(printed).not.toContain('hf_');
    expect(notes.map((note) => note.split(':')[0])).toEqual(['packing', 'hub_token']);
  });
});

describe('TrainingArguments', () => {
  it('written out as JSON become a configuration with what they do not say to be filled in', () => {
    const result = imported(JSON.stringify(read('defaults.json')));
    expect(result.notes).toEqual([]);
    expect(result.config.modelName).toBe('path/to/model');
    expect(result.printed).toContain('model_name: path/to/model # TO FILL IN');
    expect(result.config.trainingConfig).toMatchObject({ batchSize: 8, learningRate: 2e-5, fp16: false });
  });

  it('that are no object are an error', () => {
    for (const input of [null, 'x', [1]]) expect(() => importConfig(input)).toThrow(/axolotl, TRL/);
  });
});

describe('any setting of any trainer with any value', () => {
  const { versions: _versions, ...keys } = read('keys.json') as Record<string, string[]>;
  const all = [...new Set(Object.values(keys).flat())];

  const bases = [{ base_model: 'm', adapter: 'lora' }, { model_name_or_path: 'm', use_peft: true }, {}];
  it.each([[true], [0.5], ['text'], [{ a: 1 }], [['x']], [-1]])(
    'such as %j leaves a valid configuration, with it or a note of it',
    (value) => {
      for (const [index, key] of all.entries()) {
        const result = importConfig({ [key]: value, ...bases[index % bases.length] });
        expect(() => parseConfig(parse(yamlText(result)), {}), key).not.toThrow();
      }
    },
  );
});

describe('what is trained, and how fast', () => {
  it('is carried over from axolotl: weights by name, rates of groups, noise, smoothing, optimizers', () => {
    const { config, notes } = imported(`
base_model: someone/tiny-llama
datasets: [{ path: someone/instructions }]
sequence_len: 512
micro_batch_size: 1
num_epochs: 1
learning_rate: 1e-4
optimizer: ademamix_8bit
label_smoothing_factor: 0.1
noisy_embedding_alpha: 5
embedding_lr_scale: 0.5
lr_groups:
  - name: attention
    modules: [q_proj, k_proj]
    lr: 2e-4
unfrozen_parameters:
  - ^lm_head.weight$
  - model.embed_tokens.weight[:32000]
  - model.layers.2[0-9]+.mlp
  - model.norm.weight
`);
    expect(config.trainingConfig).toMatchObject({
      ...{ optimizer: 'ademamix_8bit', labelSmoothingFactor: 0.1, neftuneNoiseAlpha: 5 },
      learningRateMultipliers: {
        ...{ '*embed_tokens*': 0.5, '*lm_head*': 0.5, '*q_proj*': 2, '*k_proj*': 2 },
      },
      unfrozenParameters: ['^(lm_head.weight$).*', '^(model.layers.2[0-9]+.mlp).*', 'model.norm.weight'],
    });
    expect(notes).toEqual([expect.stringMatching(/^unfrozen_parameters: .*rows of a weight/)]);
  });

  it('is carried over from TrainingArguments', () => {
    const { config } = imported(
      JSON.stringify({
        ...{ model_name_or_path: 'm', output_dir: 'o', dataset_name: 'someone/d', max_length: 64 },
        ...{ label_smoothing_factor: 0.2, neftune_noise_alpha: 10, optim: 'rmsprop' },
      }),
    );
    expect(config.trainingConfig).toMatchObject({
      ...{ labelSmoothingFactor: 0.2, neftuneNoiseAlpha: 10, optimizer: 'rmsprop' },
    });
  });
});
