import type { PeftConfig } from '../../config/schema/parsed-config.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { parsePeftConfig } from '../../config/read/read-peft-config.js';
import { configGroups } from '../../config/schema/config-groups.js';
import { snakeCase } from '../../common/snake-case.js';
import { AdaptiveTrainerError } from '../../errors.js';

/** adapter_config.json of PEFT 0.21 beyond the keys of `PeftConfig`, with the values that change nothing. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  alora_invocation_tokens: [null],
  arrow_config: [null],
  corda_config: [null],
  ensure_weight_tying: [false],
  eva_config: [null],
  kasa_config: [null],
  layer_replication: [null],
  layers_pattern: [null, '', 'layers', 'h'],
  loftq_config: [null],
  lora_bias: [false],
  lora_ga_config: [null],
  megatron_config: [null],
  monteclora_config: [null],
  target_parameters: [null],
  trainable_token_indices: [null],
  use_bdlora: [null, false],
  use_qalora: [false],
  velora_config: [null],
};
/** Keys that say nothing about the numbers. */
const bookkeeping = [
  ...['auto_mapping', 'base_model_name_or_path', 'megatron_core', 'peft_version', 'qalora_group_size'],
  ...['revision', 'runtime_config', '_custom_modules', 'modules_to_save_kwargs'],
];

export interface AdapterConfigFile {
  config: PeftConfig;
  /** The base model: a folder or a name on the Hub. */
  base: string | undefined;
  revision: string | undefined;
}

/**
 * Reads adapter_config.json.
 * @throws AdaptiveTrainerError CONFIG_INVALID; MODEL_UNSUPPORTED naming every setting that is not built
 */
export function readAdapterConfig(json: Record<string, unknown>, path: string): AdapterConfigFile {
  const known = new Set(configGroups.peftConfig.map(snakeCase));
  const refused = Object.entries(json).filter(([key, value]) => {
    if (known.has(key) || bookkeeping.includes(key)) return false;
    if (isPlainObject(value) && Object.keys(value).length === 0) return false;
    // Keys of later versions that are off.
    const harmless = neutral[key] ?? [null, false];
    return !harmless.includes(value);
  });
  if (refused.length > 0) {
    const found = refused.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(', ');
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected plain LoRA or DoRA in ${path}, found ${found}.`,
      {
        details: { path, refused: Object.fromEntries(refused) },
      },
    );
  }
  const own = Object.entries(json)
    .filter(([key, value]) => known.has(key) && !isLeftOut(key, value))
    // PEFT takes one layer as a number.
    .map(([key, value]) => [
      key,
      key === 'layers_to_transform' && typeof value === 'number' ? [value] : value,
    ]);
  const { base_model_name_or_path: base, revision } = json;
  return {
    // How the matrices were drawn does not matter any more.
    config: parsePeftConfig({ ...Object.fromEntries(own), init_lora_weights: true }, path),
    base: typeof base === 'string' && base !== '' ? base : undefined,
    revision: typeof revision === 'string' ? revision : undefined,
  };
}

// PEFT writes null where the schema here has a default of its own.
function isLeftOut(key: string, value: unknown): boolean {
  return value === null && ['rank_pattern', 'alpha_pattern', 'bias', 'fan_in_fan_out'].includes(key);
}

/** adapter_config.json as PEFT writes it. */
export function adapterConfigJson(
  config: PeftConfig,
  about: { base: string; revision: string | null; transposed: boolean },
): string {
  const own = Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeCase(key), value]));
  const off = Object.fromEntries(Object.entries(neutral).map(([key, [value]]) => [key, value]));
  const all: Record<string, unknown> = {
    ...{ ...off, ...own, auto_mapping: null, loftq_config: {}, megatron_core: 'megatron.core' },
    ...{ qalora_group_size: 16, peft_version: '0.21.0', inference_mode: true },
    ...{ base_model_name_or_path: about.base, revision: about.revision, fan_in_fan_out: about.transposed },
  };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
