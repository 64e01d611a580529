import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { snakeCase } from '../../src/common/snake-case.js';

const least = { modelName: 'model', outputDir: 'out', datasetsConfig: { ideas: ['rows.jsonl'] } };
const parse = (trainingConfig: unknown) => parseConfig({ ...least, trainingConfig }, {}).trainingConfig;

// The table of DESIGN.md, §5, key by key.
const seedDefaults = {
  run_name: 'my_adaptive_run',
  wandb_project: 'my-adaptive-experiments',
  wandb_entity: null,
  use_wandb: 'auto',
  report_to: null,
  max_length_token: 4096,
  padding_side: 'left',
  batch_size: 4,
  eval_batch_size: 4,
  gradient_accumulation_steps: 16,
  learning_rate: 2e-5,
  weight_decay: 0.01,
  warmup_steps: 10,
  lr_scheduler_type: 'cosine',
  num_epochs: 3,
  max_steps: -1,
  seed: 42,
  attn_impl: null,
  fp16: true,
  bf16: false,
  // The seed's is true: its numbers, in as much memory as is free.
  gradient_checkpointing: 'auto',
  use_liger_kernel: false,
  optimizer: 'paged_adamw_8bit',
  max_grad_norm: 1.0,
  logging_steps: 10,
  eval_strategy: 'steps',
  eval_steps: 200,
  eval_on_start: false,
  save_strategy: 'steps',
  save_steps: 300,
  save_total_limit: 5,
  local_rank: -1,
  resume_from_checkpoint: null,
};
const ownDefaults = {
  ddp_timeout: 600,
  zero_stage: 0,
  load_in_4bit: false,
  load_in_8bit: false,
  bnb_4bit_quant_type: 'nf4',
  bnb_4bit_use_double_quant: true,
  llm_int8_skip_modules: null,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  min_lr_rate: null,
  lr_scheduler_kwargs: {},
  precision: null,
  momentum: 0,
  on_non_finite: 'stop',
  retention: null,
  eval_forgetting: null,
  inspect_rows: 200,
  on_save_error: 'continue',
  overwrite_output_dir: false,
  shuffle: true,
  max_tokens_per_batch: null,
  mixing: 'concat',
  mixing_probabilities: null,
  mixing_stop: 'first_exhausted',
  chat_template: null,
  train_on_header: false,
  ignore_dropout: false,
  freeze: null,
  unfrozen_parameters: null,
  learning_rate_multipliers: null,
  layerwise_lr_decay: null,
  loraplus_lr_ratio: null,
  loraplus_lr_embedding: 1e-6,
  label_smoothing_factor: 0,
  neftune_noise_alpha: null,
  adam_beta3: 0.9999,
  ademamix_alpha: 5,
  ademamix_warmup_steps: null,
  optim_args: {},
  from_scratch: false,
  save_dtype: 'float32',
  load_best_model_at_end: false,
  metric_for_best_model: 'loss',
  greater_is_better: false,
  early_stopping_patience: null,
  early_stopping_threshold: 0,
  logging_first_step: false,
  eval_delay: 0,
  save_only_model: false,
  device: 'auto',
  threads: null,
};

describe('defaults', () => {
  it('are those of the design, and there is no key without one', () => {
    const config = parse(undefined);
    const spelled = Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeCase(key), value]));
    expect(spelled).toEqual({ ...seedDefaults, ...ownDefaults });
  });

  it('of the loss are those of the design', () => {
    expect(parseConfig(least, {}).adaptiveLossConfig).toEqual({
      topK: 8,
      adaptiveLogSteps: 100,
      loss: 'adaptive',
      initialConfidence: null,
      finalConfidence: null,
      curriculumEpochs: null,
      maxKlDivergence: null,
    });
  });

  it('of the upload are those of the Python package', () => {
    expect(parseConfig(least, {}).uploadConfig).toEqual({
      isPrivateRepo: false,
      commitMessage: 'Upload fine-tuned model with adaptive-select loss',
    });
  });

  it('leave no key undefined', () => {
    const walk = (value: unknown): void => {
      expect(value).not.toBeUndefined();
      if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
    };
    walk(parseConfig(least, {}));
  });

  it('evaluate in batches of the training size', () => {
    expect(parse({ batchSize: 7 }).evalBatchSize).toBe(7);
    expect(parse({ batchSize: 7, evalBatchSize: 2 }).evalBatchSize).toBe(2);
    expect(parse({ batchSize: 7, evalBatchSize: null }).evalBatchSize).toBe(7);
  });

  it('evaluate as often as they log where evalSteps is null', () => {
    expect(parse({ evalSteps: null, loggingSteps: 25 }).evalSteps).toBe(25);
  });

  it('turn fp16 off where bf16 is asked for', () => {
    expect(parse({ bf16: true })).toMatchObject({ bf16: true, fp16: false });
    expect(parse({ bf16: false })).toMatchObject({ bf16: false, fp16: true });
    expect(parse({ fp16: false })).toMatchObject({ bf16: false, fp16: false });
  });

  it('take both Adam rates from betas', () => {
    const config = parse({ betas: [0.8, 0.95] });
    expect(config).toMatchObject({ adamBeta1: 0.8, adamBeta2: 0.95 });
    expect(config).not.toHaveProperty('betas');
  });

  it('serve the trainer class too', () => {
    const { args, adaptiveLoss } = parseTrainerConfig(
      { args: { batch_size: 2 }, adaptiveLoss: { topK: 3 } },
      {},
    );
    expect(args).toEqual({ ...parse(undefined), batchSize: 2, evalBatchSize: 2 });
    expect(adaptiveLoss.topK).toBe(3);
  });
});
