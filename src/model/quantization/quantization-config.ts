import { shownJson } from '../../common/shown-json.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { QuantizationOptions } from './quantization.js';

/** How many bits a checkpoint's projections have. */
export type StoredBits = 4 | 8;

const unpackMxfp4 =
  'Unpack MXFP4 weights in Python: AutoModelForCausalLM.from_pretrained(dir, ' +
  'quantization_config=Mxfp4Config(dequantize=True)).save_pretrained(out).';

/**
 * What quantization_config of a config.json says; undefined where there is none.
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED for another method than bitsandbytes
 */
export function storedBits(config: Readonly<Record<string, unknown>>, path: string): StoredBits | undefined {
  const stated = config['quantization_config'];
  if (stated === undefined || stated === null) return undefined;
  const {
    quant_method: method,
    load_in_4bit: four,
    load_in_8bit: eight,
  } = isPlainObject(stated) ? stated : {};
  // Before transformers 4.32 nothing said bitsandbytes.
  if (method === 'bitsandbytes' || method === undefined) {
    if (four === true) return 4;
    if (eight === true) return 8;
  }
  throw new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected whole weights or ones quantised by bitsandbytes in 4 or 8 bits in ${path}, found quantization_config: ${shownJson(stated)}. ` +
      (method === 'mxfp4'
        ? unpackMxfp4
        : 'Take the model that it was made of, and let it be quantised here (loadIn4bit).'),
    { details: { path, refused: { quantization_config: stated } } },
  );
}

/** What quantization_config of a config.json says of all projections; undefined where it has none. @throws as `storedBits` does */
export function statedQuantization(
  config: Readonly<Record<string, unknown>>,
  path: string,
): QuantizationOptions | undefined {
  const bits = storedBits(config, path);
  if (bits === undefined) return undefined;
  const stated = config['quantization_config'] as Record<string, unknown>;
  const {
    bnb_4bit_quant_type: type,
    bnb_4bit_use_double_quant: doubleQuant,
    llm_int8_skip_modules: skipped,
  } = stated;
  const isList = Array.isArray(skipped) && skipped.every((name) => typeof name === 'string');
  return {
    type: bits === 8 ? 'int8' : type === 'fp4' ? 'fp4' : 'nf4',
    doubleQuant: doubleQuant === true,
    skipModules: isList ? skipped : [],
  };
}
