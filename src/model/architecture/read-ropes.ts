import { isPlainObject } from '../../common/is-plain-object.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { ConfigValues } from './config-values.js';
import type { Family, Json } from './families.js';

type Rope = DecoderConfig['ropes'][number];

const ropeTypes = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const;
/** Types for which transformers notes the length that the model was trained with. */
const keepsOriginalLength = ['llama3', 'yarn', 'longrope'];

/**
 * The rotary embeddings of a model, as transformers' modeling_rope_utils defines them: one, or for Gemma 3 that of full
 * and that of sliding layers. transformers 5 writes rope_parameters; older configurations have rope_theta and
 * rope_scaling, which win where both are there. Keys that a type of rope does not know are ignored.
 */
export function readRopes(values: ConfigValues, family: Family, headDim: number, slides: boolean): Rope[] {
  if (family.ropes === 'none') return [];
  const { json } = values;
  const parameters = json['rope_parameters'] ?? family.ropeParameters ?? null;
  if (parameters !== null && !isPlainObject(parameters)) {
    values.fault('an object', 'rope_parameters', parameters);
    return [];
  }
  const at = (where: string, stated: Json) => readRope(values, family, headDim, { stated, at: where });
  if (family.ropes === 'by layer type') {
    const full = at('rope_parameters.full_attention', fullRope(values, family, parameters));
    const { value, key } = family.localTheta!;
    const theta = key !== undefined && key in json ? json[key] : value;
    const local = layerRope(values, parameters, 'sliding_attention', theta);
    // One that no layer uses is not looked at.
    return [full, slides ? at('rope_parameters.sliding_attention', local) : full];
  }
  const scaling = json['rope_scaling'];
  const where = isTruthy(scaling) ? 'rope_scaling' : 'rope_parameters';
  const stated = isTruthy(scaling) ? scaling : (parameters ?? {});
  if (!isPlainObject(stated)) {
    values.fault('an object', where, stated);
    return [];
  }
  const types = Array.isArray(json['layer_types']) ? (json['layer_types'] as unknown[]) : [];
  const nested = Object.keys(stated).filter((key) => types.includes(key));
  if (family.windows === 'layer_types' && nested.length > 0)
    values.fault('one rope for all layers, as this family has it', where, nested);
  const keys = family.ropeKeys ?? { theta: 'rope_theta', part: 'partial_rotary_factor' };
  const theta = keys.theta in json ? json[keys.theta] : (family.ropeTheta ?? 10_000);
  const part = json[keys.part] ?? family.rotatedPart;
  return [
    at(where, {
      rope_theta: theta,
      ...(part === undefined ? {} : { partial_rotary_factor: part }),
      ...stated,
    }),
  ];
}

/** An older rope_scaling is laid over the rope of full layers. */
function fullRope(values: ConfigValues, family: Family, parameters: Json | null): Json {
  const scaling = values.json['rope_scaling'];
  if (isTruthy(scaling) && !isPlainObject(scaling)) values.fault('an object', 'rope_scaling', scaling);
  const laid = isPlainObject(scaling) ? scaling : {};
  if (
    values.json['rope_scaling'] != null &&
    parameters !== null &&
    !isPlainObject(parameters['full_attention'])
  )
    values.fault('full_attention, since there is a rope_scaling', 'rope_parameters', parameters);
  const theta = 'rope_theta' in values.json ? values.json['rope_theta'] : family.ropeTheta;
  return layerRope(values, parameters, 'full_attention', theta, laid);
}

function layerRope(
  values: ConfigValues,
  parameters: Json | null,
  type: string,
  theta: unknown,
  laid: Json = {},
): Json {
  const stated = parameters?.[type] ?? {};
  if (!isPlainObject(stated)) values.fault('an object', `rope_parameters.${type}`, stated);
  // transformers looks for `truncate` beside the ropes, not in them.
  const { truncate: _unread, ...own } = { ...(isPlainObject(stated) ? stated : {}), ...laid };
  const part = values.json['partial_rotary_factor'];
  return {
    // Its `type` does not count where transformers has put a rope_type of its own.
    ...(parameters?.[type] == null ? { rope_type: 'default' } : {}),
    rope_theta: theta,
    ...(part == null ? {} : { partial_rotary_factor: part }),
    ...own,
    ...(parameters !== null && 'truncate' in parameters ? { truncate: parameters['truncate'] } : {}),
  };
}

/** As Python takes it. */
function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isPlainObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}

function readRope(
  values: ConfigValues,
  family: Family,
  headDim: number,
  { stated, at }: { stated: Json; at: string },
): Rope {
  const { json } = values;
  const own = new ConfigValues(Object.fromEntries(Object.entries(stated).map(([k, v]) => [`${at}.${k}`, v])));
  const number = (key: string, fallback?: number) => own.positive(`${at}.${key}`, fallback);
  const type = typeOf(own, family, stated, at);
  const original = originalLength(values, own, at, type, family.ropes === 'by layer type');
  const dims = rotatedDims(values, own, family, { at, type, headDim });
  const factor = factorOf(own, at, type, Number(json['max_position_embeddings']) / original);
  const rope: Rope = {
    type,
    theta: number('rope_theta'),
    dims,
    factor,
    attentionFactor: attentionFactor(own, at, type, factor, original),
    lowFrequencyFactor: type === 'llama3' ? number('low_freq_factor') : 1,
    highFrequencyFactor: type === 'llama3' ? number('high_freq_factor') : 4,
    betaFast: type === 'yarn' && stated['beta_fast'] !== 0 ? number('beta_fast', 32) : 32,
    betaSlow: type === 'yarn' && stated['beta_slow'] !== 0 ? number('beta_slow', 1) : 1,
    truncate: !('truncate' in stated) || isTruthy(stated['truncate']),
    originalMaxPositions: original,
    shortFactors: factors(own, `${at}.short_factor`, type, dims),
    longFactors: factors(own, `${at}.long_factor`, type, dims),
    interleaved: family.interleaved ?? false,
  };
  values.faults.push(...own.faults);
  return rope;
}

function typeOf(own: ConfigValues, family: Family, stated: Json, at: string): Rope['type'] {
  const type = 'rope_type' in stated ? stated['rope_type'] : (stated['type'] ?? 'default');
  // Phi-3's first configurations call longrope "su" or "yarn".
  if (family.phi3Rope && (type === 'su' || type === 'yarn')) return 'longrope';
  const known = family.phi3Rope ? (['default', 'longrope'] as const) : ropeTypes;
  const found = known.find((one) => one === type);
  if (found !== undefined) return found;
  own.fault(known.map((name) => `"${name}"`).join(', '), `${at}.rope_type`, type);
  return 'default';
}

/** yarn and longrope work a factor of null out from the lengths; only longrope may leave it out. */
function factorOf(own: ConfigValues, at: string, type: Rope['type'], stretch: number): number {
  if (type === 'default') return 1;
  const key = `${at}.factor`;
  const isDerived = type === 'longrope' || (type === 'yarn' && own.json[key] === null);
  return own.positive(key, isDerived ? stretch : undefined);
}

function originalLength(
  values: ConfigValues,
  own: ConfigValues,
  at: string,
  type: Rope['type'],
  isOfLayerType: boolean,
): number {
  // dynamic stretches from the configured length on.
  if (type === 'dynamic') return values.positive('max_position_embeddings');
  if (!keepsOriginalLength.includes(type)) return 0;
  // Beside the rope parameters, as Phi-3 has it, it wins.
  const beside = 'original_max_position_embeddings';
  if (!isOfLayerType && beside in values.json) return values.positive(beside);
  const key = `${at}.${beside}`;
  return own.positive(key, key in own.json ? undefined : Number(values.json['max_position_embeddings']));
}

function rotatedDims(
  values: ConfigValues,
  own: ConfigValues,
  family: Family,
  { at, type, headDim }: { at: string; type: Rope['type']; headDim: number },
): number {
  const key = `${at}.partial_rotary_factor`;
  const part = key in own.json ? own.json[key] : 1;
  // In families that rotate whole heads transformers overlooks the key or fails over it.
  const rotatesPart = family.rotatedPart !== undefined;
  const isRead = rotatesPart || type !== 'default';
  if (isRead && !(typeof part === 'number' && part > 0 && part <= 1)) {
    own.fault('a number above 0, at most 1', key, part);
  } else if (isRead && part !== 1 && !rotatesPart) {
    own.fault('1, because this family rotates whole heads', key, part);
  }
  const dims = isRead && typeof part === 'number' ? Math.floor(headDim * part) : headDim;
  if (dims % 2 !== 0 || dims < 2) values.fault('an even number of rotated entries', 'head_dim', dims);
  // Its stretch is a power of dims / (dims − 2).
  if (type === 'dynamic' && dims === 2)
    own.fault('another type than dynamic for 2 rotated entries', `${at}.rope_type`, type);
  return dims;
}

function attentionFactor(
  own: ConfigValues,
  at: string,
  type: Rope['type'],
  factor: number,
  original: number,
): number {
  if (type !== 'yarn' && type !== 'longrope') return 1;
  if (own.json[`${at}.attention_factor`] != null) return own.positive(`${at}.attention_factor`);
  if (type === 'longrope') return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const scale = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const one = own.json[`${at}.mscale`];
  const all = own.json[`${at}.mscale_all_dim`];
  return one && all ? scale(Number(one)) / scale(Number(all)) : scale(1);
}

function factors(own: ConfigValues, key: string, type: Rope['type'], dims: number): Float64Array {
  if (type !== 'longrope') return new Float64Array(0);
  const list = own.json[key];
  const usable =
    Array.isArray(list) && list.every((value) => Number.isFinite(value) && (value as number) > 0);
  if (usable && list.length === Math.floor(dims / 2)) return Float64Array.from(list as number[]);
  own.fault(`a list of ${Math.floor(dims / 2)} numbers above 0`, key, list);
  return new Float64Array(0);
}
