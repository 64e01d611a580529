/**
 * Every key of PEFT 0.21's LoraConfig and how it is treated: `read`; `bookkeeping`, without influence on what a stored
 * adapter computes; or a list of neutral values, the only ones that are accepted (what PEFT writes comes first).
 */
export const loraKeys: Readonly<Record<string, 'read' | 'bookkeeping' | readonly unknown[]>> = {
  alora_invocation_tokens: [null, []],
  alpha_pattern: 'read',
  arrow_config: [null],
  auto_mapping: 'bookkeeping',
  base_model_name_or_path: 'read',
  bias: 'read',
  corda_config: 'bookkeeping', // as the three other settings of initialisations: init_lora_weights decides
  ensure_weight_tying: 'read',
  eva_config: 'bookkeeping',
  exclude_modules: 'read',
  fan_in_fan_out: 'bookkeeping', // the layout of the weights follows from the model, as for PEFT
  inference_mode: 'bookkeeping',
  init_lora_weights: 'read',
  kasa_config: [null],
  layer_replication: [null, []],
  layers_pattern: 'read',
  layers_to_transform: 'read',
  loftq_config: 'bookkeeping',
  lora_alpha: 'read',
  lora_bias: [false, null],
  lora_dropout: 'read',
  lora_ga_config: 'bookkeeping',
  megatron_config: [null, {}],
  megatron_core: 'bookkeeping',
  modules_to_save: 'read',
  monteclora_config: [null],
  peft_type: 'read',
  peft_version: 'bookkeeping',
  qalora_group_size: 'bookkeeping', // of use_qalora
  r: 'read',
  rank_pattern: 'read',
  revision: 'read',
  runtime_config: 'bookkeeping',
  target_modules: 'read',
  target_parameters: 'read',
  task_type: 'read',
  trainable_token_indices: 'read',
  use_bdlora: [null, false],
  use_dora: 'read',
  use_qalora: [false, null],
  use_rslora: 'read',
  velora_config: [null],
  // Not keys of LoraConfig: written by packages built on PEFT.
  _custom_modules: 'bookkeeping',
  modules_to_save_kwargs: 'bookkeeping',
};

/** Returns true if a key can be read, or its value does not change what the adapter computes. Keys of later versions must be off. */
export function isHarmless(key: string, value: unknown): boolean {
  const kind = Object.hasOwn(loraKeys, key) ? loraKeys[key]! : [null, false];
  if (typeof kind === 'string') return true;
  return kind.some((harmless) => JSON.stringify(harmless) === JSON.stringify(value));
}
