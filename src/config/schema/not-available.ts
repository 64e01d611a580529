/** A key, or some of its values, that is known and not available yet. Using one is a fault, never ignored. */
export interface NotAvailable {
  group: 'trainingConfig' | 'adaptiveLossConfig' | 'peftConfig';
  key: string;
  matches: (value: unknown) => boolean;
  /** What to give instead. */
  expected: string;
  /** What it is that is not available: the subject of "… is not available yet". */
  what: string;
}

const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value);

/** Everything of that kind, in one place; take a line out when its feature is built. */
export const notAvailable: readonly NotAvailable[] = [
  {
    group: 'trainingConfig',
    key: 'optimizer',
    matches: oneOf(
      ...['adamw_hf', 'adamw_apex_fused', 'adamw_anyprecision', 'adamw_torch_xla', 'adamw_torch_npu_fused'],
      ...['adamw_torch_4bit', 'adamw_torch_8bit', 'rmsprop_bnb', 'rmsprop_bnb_8bit', 'rmsprop_bnb_32bit'],
      ...['galore_adamw', 'galore_adamw_8bit', 'galore_adafactor', 'galore_adamw_layerwise'],
      ...['galore_adamw_8bit_layerwise', 'galore_adafactor_layerwise', 'lomo', 'adalomo', 'grokadamw'],
      ...['schedule_free_radam', 'schedule_free_adamw', 'schedule_free_sgd', 'apollo_adamw'],
      ...['apollo_adamw_layerwise', 'stable_adamw', 'lion_pytorch', 'muon', 'dion', 'came_pytorch'],
      ...['ao_adamw_4bit', 'ao_adamw_8bit', 'ao_adamw_fp8', 'adopt_adamw', 'optimi_adamw'],
    ),
    expected:
      '"adamw" or "adamw_8bit" (or another name of these), "sgd", "adafactor", "lion", "lion_8bit", "rmsprop", "adagrad", "ademamix" or "ademamix_8bit"',
    what: 'this optimizer',
  },
  {
    group: 'trainingConfig',
    key: 'lrSchedulerType',
    matches: oneOf('cosine_warmup_with_min_lr', 'greedy'),
    expected: '"cosine", "linear", "constant", "polynomial", "inverse_sqrt", "wsd" or another of its kind',
    what: 'this schedule',
  },
  {
    group: 'trainingConfig',
    key: 'zeroStage',
    matches: oneOf(3),
    expected: '0, 1 or 2',
    what: 'sharing out the weights themselves (stage 3)',
  },
  {
    group: 'trainingConfig',
    key: 'attnImpl',
    matches: oneOf('flash_attention_2', 'flash_attention_3', 'flex_attention'),
    expected: 'null, "sdpa" or "eager"',
    what: 'this attention',
  },
  {
    group: 'peftConfig',
    key: 'peftType',
    matches: (value) => typeof value === 'string' && value !== 'LORA',
    expected: '"LORA"',
    what: 'this kind of adapter',
  },
  {
    group: 'peftConfig',
    key: 'initLoraWeights',
    matches: (value) =>
      value === false ||
      (typeof value === 'string' && /^(eva|corda|loftq|orthogonal|mica|lora_ga)$/i.test(value)),
    expected: 'true, "gaussian", "pissa", "pissa_niter_4" or "olora"',
    what: 'this initialisation',
  },
];
