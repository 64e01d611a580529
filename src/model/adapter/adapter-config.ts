import type { PeftConfig } from '../../config/schema/parsed-config.js';
import { parsePeftConfig } from '../../config/read/read-peft-config.js';
import { configGroups } from '../../config/schema/config-groups.js';
import { snakeCase } from '../../common/snake-case.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { refuseChangedBase } from './changed-base.js';
import { isHarmless, loraKeys } from './lora-keys.js';

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
  // Without it PEFT does not know the method either.
  const stated = { peft_type: null, ...json };
  const { peft_type: method } = stated as { peft_type: unknown };
  if (method !== null && method !== 'LORA') throw otherMethod(method, path);
  const refused = Object.entries(stated).filter(([key, value]) => !isHarmless(key, value));
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
  const init = json['init_lora_weights'];
  refuseChangedBase(init, path);
  const known = new Set(configGroups.peftConfig.map(snakeCase));
  const own = Object.entries(stated)
    .filter(([key, value]) => known.has(key) && !isLeftOut(key, value))
    .map(([key, value]) => [key, key === 'layers_to_transform' ? layerList(value) : value]);
  const { base_model_name_or_path: base, revision } = json;
  return {
    config: parsePeftConfig({ ...Object.fromEntries(own), init_lora_weights: storedInit(init) }, path),
    base: typeof base === 'string' && base !== '' ? base : undefined,
    revision: typeof revision === 'string' ? revision : undefined,
  };
}

function otherMethod(method: unknown, path: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected plain LoRA or DoRA in ${path}, found peft_type: ${JSON.stringify(method)}. Where PEFT can merge it, merge it in Python: model.merge_and_unload().save_pretrained("merged"), and open "merged".`,
    { details: { path, refused: { peft_type: method } } },
  );
}

// How the matrices were drawn does not matter any more where the base stayed as it was.
function storedInit(init: unknown): unknown {
  if (init === 'pissa') return init;
  return typeof init === 'string' && init.toLowerCase() === 'olora' ? 'olora' : true;
}

// PEFT takes one layer as a number, and none for all.
function layerList(value: unknown): unknown {
  if (typeof value === 'number') return [value];
  return Array.isArray(value) && value.length === 0 ? null : value;
}

// PEFT writes null where the schema here has a default of its own.
function isLeftOut(key: string, value: unknown): boolean {
  const keys = [
    'rank_pattern',
    'alpha_pattern',
    'bias',
    'fan_in_fan_out',
    'inference_mode',
    'use_dora',
    'use_rslora',
    'ensure_weight_tying',
  ];
  return (
    (value === null && keys.includes(key)) ||
    (['exclude_modules', 'layers_pattern'].includes(key) && value === '')
  );
}

const initConfigs = ['corda_config', 'eva_config', 'lora_ga_config'];

/** adapter_config.json as PEFT writes it. */
export function adapterConfigJson(
  config: PeftConfig,
  about: { base: string; revision: string | null; transposed: boolean },
): string {
  const own = Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeCase(key), value]));
  const off = Object.fromEntries(
    Object.entries(loraKeys).flatMap(([key, kind]) =>
      Array.isArray(kind) ? [[key, kind[0] as unknown]] : [],
    ),
  );
  const unset = Object.fromEntries(initConfigs.map((key) => [key, null]));
  const all: Record<string, unknown> = {
    ...off,
    ...unset,
    ...own,
    auto_mapping: null,
    loftq_config: {},
    megatron_core: 'megatron.core',
    qalora_group_size: 16,
    peft_version: '0.21.0',
    inference_mode: true,
    base_model_name_or_path: about.base,
    revision: about.revision,
    fan_in_fan_out: about.transposed,
  };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
