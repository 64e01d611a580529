import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';

const dataProcessingFunction = (sample: { user: string; assistant: string }) =>
  [sample.user, sample.assistant] as const;

/** The example of the Python package's README, with a number in place of its `K` and its prompts shortened. */
const readmeExample = {
  model_name: 'model_to_train',
  datasets_config: {
    ideas: ['user/my-ideas-dataset:|:500'],
    attention: ['user/my-attention-dataset'],
    both: [],
    misc: [],
  },
  datasets_kwargs: {
    'user/my-ideas-dataset:|:500': {
      data_dir: null,
      context_mode: 'ideas',
      train_split: 'a',
      val_split: 'b',
    },
    'user/my-ideas-dataset': {},
    'user/my-attention-dataset': {},
  },
  dataset_specific_system_prompts: {
    'user/my-ideas-dataset:|:500': 'First.',
    'user/my-ideas-dataset': 'Second.',
    'user/my-attention-dataset': 'Third.',
  },
  output_dir: './my_finetuned_model_adaptive',
  huggingface_repo: 'your_username/my_finetuned_model_adaptive',
  system_prompts: { both: 'B', ideas: 'I', attention: 'A' },
  training_config: {
    run_name: 'my_adaptive_run',
    wandb_project: 'my-adaptive-experiments',
    wandb_entity: null,
    max_length_token: 4096,
    padding_side: 'left',
    batch_size: 4,
    learning_rate: 2e-5,
    gradient_accumulation_steps: 16,
    num_epochs: 3,
    attn_impl: null,
    save_total_limit: 5,
    fp16: true,
    gradient_checkpointing: true,
    eval_strategy: 'steps',
    save_strategy: 'steps',
    local_rank: -1,
    logging_steps: 10,
    weight_decay: 0.01,
    warmup_steps: 10,
    eval_steps: 200,
    save_steps: 300,
    eval_batch_size: 4,
    optimizer: 'paged_adamw_8bit',
    use_liger_kernel: false,
    eval_on_start: false,
  },
  adaptive_loss_config: { top_k: 8, adaptive_log_steps: 100 },
};

describe('the README example of the Python package', () => {
  it('works as it is, and equals the defaults it lists', () => {
    const config = parseConfig(readmeExample, {});
    const bare = parseConfig({ modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } }, {});
    // Its true stays; the default here, 'auto', has the same numbers.
    expect(config.trainingConfig).toEqual({ ...bare.trainingConfig, gradientCheckpointing: true });
    expect(config.adaptiveLossConfig).toEqual(bare.adaptiveLossConfig);
    expect(config.modelName).toBe('model_to_train');
    expect(config.outputDir).toBe('./my_finetuned_model_adaptive');
    expect(config.systemPrompts).toEqual(readmeExample.system_prompts);
  });

  it('works as JSON', () => {
    expect(parseConfig(JSON.parse(JSON.stringify(readmeExample)), {})).toEqual(
      parseConfig(readmeExample, {}),
    );
  });

  it('keeps everything about datasets as it is', () => {
    const config = parseConfig(readmeExample, {});
    expect(config.datasetsConfig).toEqual(readmeExample.datasets_config);
    expect(config.datasetsKwargs).toEqual(readmeExample.datasets_kwargs);
    expect(config.datasetSpecificSystemPrompts).toEqual(readmeExample.dataset_specific_system_prompts);
  });

  it('says that nothing is uploaded without HF_TOKEN', () => {
    const { warnings } = parseConfig(readmeExample, { HF_HOME: '/nowhere' });
    expect(warnings.map(({ code }) => code)).toEqual(['NOTHING_UPLOADED']);
    expect(warnings[0]!.message).toContain('your_username/my_finetuned_model_adaptive');
  });
});

describe('datasets', () => {
  const parse = (datasetsConfig: object, rest: object = {}) =>
    parseConfig({ modelName: 'm', outputDir: 'o', datasetsConfig, ...rest }, {});
  const f = dataProcessingFunction;

  it.each([
    [
      {
        data_processing_function: f,
        data_processing_function_ideas: f,
        data_processing_function_my_set: null,
      },
    ],
    [{ dataProcessingFunction: f, dataProcessingFunctionIdeas: f, dataProcessingFunction_my_set: null }],
    [{ dataProcessingFunctions: { ideas: f, my_set: null } }],
  ])('take functions for all, by style and by dataset: %o', (functions) => {
    const datasetsConfig = { ideas: ['my_set', 'myOtherSet'], misc: [], ...functions };
    expect(parse(datasetsConfig).datasetsConfig).toEqual(datasetsConfig);
  });

  it('take rows in memory', () => {
    const ideas = [{ name: 'mine', train: [{ user: 'a', assistant: 'b' }] }];
    expect(parse({ ideas }).datasetsConfig.ideas).toEqual(ideas);
  });

  it('do not convert the case of names that look like keys', () => {
    const config = parse({ ideas: ['batch_size', 'topK'] }, { datasetsKwargs: { batch_size: {}, topK: {} } });
    expect(Object.keys(config.datasetsKwargs)).toEqual(['batch_size', 'topK']);
  });

  it('take the three tables inside the dataset configuration, as the Python package does', () => {
    const config = {
      ideas: ['a'],
      system_prompts: { ideas: 'I' },
      datasets_kwargs: { a: { train_split: 't' } },
      dataset_specific_system_prompts: { a: 'A' },
    };
    expect(() => parse(config)).not.toThrow();
  });
});
