import { camelCase } from '../../common/camel-case.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { Draft } from './draft.js';

/** A setting that is being carried over, and all that stand beside it. */
export interface Setting {
  key: string;
  value: unknown;
  input: Readonly<Record<string, unknown>>;
}

type Converter = (draft: Draft, setting: Setting) => void;

const ignore: Converter = () => {};
const to =
  (name: string, convert: (value: unknown) => unknown): Converter =>
  (draft, setting) => {
    const value = convert(setting.value);
    if (value !== undefined) draft.set(name, value, setting);
  };
/** By a table of its values; one that is not in it is left to the check of values. */
const byTable = (name: string, table: Readonly<Record<string, unknown>>): Converter =>
  to(name, (value) => (Object.hasOwn(table, String(value)) ? table[String(value)] : value));

const optimizers = {
  ...{ adamw_hf: 'adamw', adamw_apex_fused: 'adamw_torch_fused', lion_pytorch: 'lion' },
  ...{ rmsprop_bnb: 'rmsprop', rmsprop_bnb_32bit: 'rmsprop' },
};
const templates: Readonly<Record<string, string | undefined>> = {
  ...{
    chatml: 'chatml',
    llama3: 'llama',
    qwen_25: 'qwen',
    qwen3: 'qwen',
    phi_3: 'phi',
    phi_35: 'phi',
    phi_4: 'phi',
  },
  ...{ tokenizer_default: undefined, jinja: undefined },
};

/** Settings whose values mean something else here, or that stand for several keys. The others keep their values. */
export const converters: Readonly<Record<string, Converter>> = {
  optim: byTable('optimizer', optimizers),
  optimizer: byTable('optimizer', optimizers),
  adafactor: (draft, setting) =>
    void (setting.value === true && draft.set('optimizer', 'adafactor', setting)),
  bf16: bf16,
  bfloat16: bf16,
  float16: to('fp16', (value) => value),
  gradient_checkpointing(draft, setting) {
    const { value } = setting;
    draft.set('gradientCheckpointing', value !== false, setting);
    if (typeof value === 'string') draft.note(setting.key, value, 'blocks are recomputed in one way');
  },
  dtype: byTable('precision', { bfloat16: 'bf16-true', float32: undefined, auto: undefined }),
  torch_dtype: byTable('precision', { bfloat16: 'bf16-true', float32: undefined, auto: undefined }),
  float32: (draft, setting) => void (setting.value === true && draft.set('precision', 'fp32', setting)),
  attn_implementation: byTable('attnImpl', { flash_attention_2: undefined, flash_attention_3: undefined }),
  eager_attention: to('attnImpl', (value) => (value === true ? 'eager' : undefined)),
  sdp_attention: to('attnImpl', (value) => (value === true ? 'sdpa' : undefined)),
  loss_type: byTable('loss', { nll: 'ce', chunked_nll: 'ce' }),
  train_sampling_strategy: to('shuffle', (value) => (value === 'sequential' ? false : undefined)),
  // Where to compute is looked for anew.
  ...{ use_cpu: ignore, no_cuda: ignore, device: ignore, local_rank: ignore, use_liger: ignore },
  lora_target_modules(draft, setting) {
    if (setting.input['lora_target_linear'] !== true) draft.set('targetModules', setting.value, setting);
  },
  lora_target_linear: to('targetModules', (value) => (value === true ? 'all-linear' : undefined)),
  data_seed(draft, { key, value, input }) {
    if (value !== (input['seed'] ?? 42)) draft.note(key, value, 'one seed, seed, orders the rows too');
  },
  cosine_min_lr_ratio(draft, setting) {
    draft.set('lrSchedulerType', 'cosine_with_min_lr', setting);
    draft.set('minLrRate', setting.value, setting);
  },
  lr_scheduler(draft, setting) {
    if (!draft.has('minLrRate')) draft.set('lrSchedulerType', setting.value, setting);
  },
  chat_template(draft, setting) {
    const { key, value } = setting;
    const name = String(value).replace(/^tokenizer_default.*/, 'tokenizer_default');
    if (!Object.hasOwn(templates, name)) draft.note(key, value, 'the template of the model is taken');
    else if (templates[name] !== undefined) draft.set('chatTemplate', templates[name], setting);
  },
  unfrozen_parameters(draft, setting) {
    const { key, value } = setting;
    const given = Array.isArray(value) ? value.map(String) : [];
    // Ranges of rows, as "lm_head.weight$[:1000]".
    const whole = given.filter((pattern) => !/\[\d*:\d*\]$/.test(pattern));
    if (whole.length < given.length)
      draft.note(key, value, 'rows of a weight cannot be trained on their own');
    // Python's re.match looks at the beginning alone.
    const patterns = whole.map((pattern) =>
      /^[\w.]+\.(weight|bias)$/.test(pattern) ? pattern : `^(${pattern.replace(/^\^/, '')}).*`,
    );
    if (patterns.length > 0) draft.set('unfrozenParameters', patterns, setting);
  },
  embedding_lr_scale: (draft, setting) => embeddingRate(draft, setting, Number(setting.value)),
  embedding_lr: (draft, setting) =>
    embeddingRate(draft, setting, Number(setting.value) / Number(setting.input['learning_rate'])),
  lr_groups(draft, setting) {
    const { value, input } = setting;
    const groups = (Array.isArray(value) ? value : []) as { modules?: unknown; lr?: unknown }[];
    for (const { modules, lr } of groups)
      multiplyRates(draft, setting, modules as string[], Number(lr) / Number(input['learning_rate']));
  },
  evals_per_epoch: perEpoch('evalStrategy'),
  saves_per_epoch: perEpoch('saveStrategy'),
  hub_model_id(draft, setting) {
    // axolotl uploads where it is given, the Hugging Face Trainer where push_to_hub is true.
    if (setting.input['push_to_hub'] !== false) draft.set('huggingfaceRepo', setting.value, setting);
  },
  push_to_hub: ignore,
  project: to('wandbProject', (value) => (value === 'huggingface' ? undefined : value)),
  default_system_message: to('systemPrompts', (value) => ({ misc: value })),
  bnb_4bit_compute_dtype: byTable('bnb4bitComputeDtype', { float16: 'bfloat16', auto: undefined }),
  bnb_config_kwargs(draft, { key, value }) {
    if (!isPlainObject(value)) return;
    for (const [inner, of] of Object.entries(value)) {
      const name = camelCase(inner);
      const isKnown = /^(bnb_4bit_(quant_type|use_double_quant|compute_dtype)|llm_int8_skip_modules)$/.test(
        inner,
      );
      const setting = { key: `${key}.${inner}`, value: of, input: value };
      if (isKnown) (converters[inner] ?? to(name, (given) => given))(draft, setting);
      else draft.note(setting.key, of, 'weights are kept and multiplied in one way');
    }
  },
  // Settings of adapters are taken together, and datasets too.
  ...{ use_peft: ignore, adapter: ignore, peft: ignore, use_tensorboard: ignore },
  ...{
    dataset_config: ignore,
    dataset_train_split: ignore,
    dataset_test_split: ignore,
    dataset_text_field: ignore,
  },
};

function bf16(draft: Draft, setting: Setting): void {
  const { value } = setting;
  if (value === 'full') draft.set('precision', 'bf16-true', setting);
  else draft.set('bf16', value === 'auto' || value, setting);
}

/** Of the embedding and the head, as axolotl counts them together. */
function embeddingRate(draft: Draft, setting: Setting, multiplier: number): void {
  multiplyRates(draft, setting, ['embed_tokens', 'lm_head'], multiplier);
}

/** @param modules parts of names */
function multiplyRates(draft: Draft, setting: Setting, modules: readonly string[], multiplier: number): void {
  if (!Array.isArray(modules) || !(multiplier > 0) || !Number.isFinite(multiplier)) {
    draft.note(setting.key, setting.value, 'learningRateMultipliers takes multipliers of learning_rate');
    return;
  }
  const before = draft.get('learningRateMultipliers') as Record<string, number> | undefined;
  const more = Object.fromEntries(modules.map((module) => [`*${module}*`, multiplier]));
  draft.set('learningRateMultipliers', { ...before, ...more }, setting);
}

function perEpoch(strategy: string): Converter {
  return (draft, setting) => {
    const { key, value } = setting;
    draft.set(strategy, value === 0 ? 'no' : 'epoch', setting);
    if (Number(value) > 1)
      draft.note(key, value, 'once per epoch; eval_steps and save_steps set it in steps');
  };
}
