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
      ...['lion_8bit', 'lion_32bit', 'paged_lion_8bit', 'paged_lion_32bit'],
      ...[
        'adamw_hf',
        'adamw_apex_fused',
        'adamw_anyprecision',
        'ademamix',
        'ademamix_8bit',
        'rmsprop',
        'adagrad',
        'galore_adamw',
      ],
    ),
    expected:
      '"adamw", "adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "sgd", "adafactor" or "lion"',
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
    key: 'attnImpl',
    matches: oneOf('flash_attention_2', 'flash_attention_3', 'flex_attention'),
    expected: 'null, "sdpa" or "eager"',
    what: 'this attention',
  },
  {
    group: 'trainingConfig',
    key: 'localRank',
    matches: (value) => Number.isSafeInteger(value) && (value as number) > 0,
    expected: '-1 or 0',
    what: 'training in several processes',
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
    key: 'bias',
    matches: oneOf('all', 'lora_only'),
    expected: '"none"',
    what: 'training biases beside an adapter',
  },
  {
    group: 'peftConfig',
    key: 'initLoraWeights',
    matches: (value) => value === false || (typeof value === 'string' && value !== 'gaussian'),
    expected: 'true or "gaussian"',
    what: 'this initialisation',
  },
];
