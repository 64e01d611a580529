import { isPlainObject } from '../../common/is-plain-object.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { ConfigValues } from './config-values.js';
import type { Family, Json } from './families.js';

type Rope = DecoderConfig['ropes'][number];

const ropeKeys: Record<Rope['type'], string[]> = {
  default: [],
  linear: ['factor'],
  dynamic: ['factor', 'original_max_position_embeddings'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  yarn: [
    'factor',
    'attention_factor',
    'beta_fast',
    'beta_slow',
    'mscale',
    'mscale_all_dim',
    'truncate',
    'original_max_position_embeddings',
  ],
  longrope: ['factor', 'attention_factor', 'short_factor', 'long_factor', 'original_max_position_embeddings'],
};
const commonKeys = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];

/**
 * The rotary embeddings of a model, as transformers' modeling_rope_utils defines them: one, or for Gemma 3 that of full
 * and that of sliding layers. transformers 5 writes rope_parameters; older configurations have rope_theta and
 * rope_scaling beside each other.
 */
export function readRopes(values: ConfigValues, family: Family, headDim: number): Rope[] {
  if (family.ropes === 'none') return [];
  const { json } = values;
  const at = json['rope_parameters'] ? 'rope_parameters' : 'rope_scaling';
  const stated = json[at] ?? {};
  if (!isPlainObject(stated)) {
    values.fault('an object', at, stated);
    return [];
  }
  if (family.ropes !== 'by layer type') {
    return [
      readRope(values, family, headDim, stated, at, (json['rope_theta'] as number | undefined) ?? 10000),
    ];
  }
  const nested = at === 'rope_parameters';
  const of = (type: string, fallback: number, old: Json) => {
    const parameters = (nested ? stated[type] : old) ?? {};
    const where = nested ? `${at}.${type}` : at;
    if (isPlainObject(parameters)) return readRope(values, family, headDim, parameters, where, fallback);
    values.fault('an object', where, parameters);
    return readRope(values, family, headDim, {}, where, fallback);
  };
  return [
    of('full_attention', (json['rope_theta'] as number | undefined) ?? 1e6, stated),
    of('sliding_attention', (json['rope_local_base_freq'] as number | undefined) ?? 1e4, {}),
  ];
}

function readRope(
  values: ConfigValues,
  family: Family,
  headDim: number,
  stated: Json,
  at: string,
  theta: number,
): Rope {
  const { json } = values;
  const own = new ConfigValues(Object.fromEntries(Object.entries(stated).map(([k, v]) => [`${at}.${k}`, v])));
  const number = (key: string, fallback?: number) => own.positive(`${at}.${key}`, fallback);
  const type = typeOf(own, family, stated, at);
  checkKeys(own, stated, at, type);
  const longest = json['max_position_embeddings'] as number | undefined;
  const original = originalLength(values, family, own, at, type);
  const factor =
    type === 'yarn' || type === 'longrope'
      ? number('factor', (longest ?? original) / original)
      : type === 'default'
        ? 1
        : number('factor');
  const dims = rotatedDims(values, family, stated, headDim);
  const rope: Rope = {
    type,
    theta: number('rope_theta', theta),
    dims,
    factor,
    attentionFactor: attentionFactor(own, at, type, factor, original),
    lowFrequencyFactor: type === 'llama3' ? number('low_freq_factor') : 1,
    highFrequencyFactor: type === 'llama3' ? number('high_freq_factor') : 4,
    betaFast: type === 'yarn' ? number('beta_fast', 32) : 32,
    betaSlow: type === 'yarn' ? number('beta_slow', 1) : 1,
    truncate: stated['truncate'] !== false,
    originalMaxPositions: original,
    shortFactors: factors(own, `${at}.short_factor`, type, dims),
    longFactors: factors(own, `${at}.long_factor`, type, dims),
  };
  values.faults.push(...own.faults);
  return rope;
}

function typeOf(own: ConfigValues, family: Family, stated: Json, at: string): Rope['type'] {
  const type = stated['rope_type'] ?? stated['type'] ?? 'default';
  // Phi-3's first configurations call longrope "su" or "yarn".
  if (family.phi3Rope && (type === 'su' || type === 'yarn')) return 'longrope';
  if (typeof type === 'string' && Object.hasOwn(ropeKeys, type)) return type as Rope['type'];
  own.fault(
    Object.keys(ropeKeys)
      .map((name) => `"${name}"`)
      .join(', '),
    `${at}.rope_type`,
    type,
  );
  return 'default';
}

function checkKeys(own: ConfigValues, stated: Json, at: string, type: Rope['type']): void {
  for (const [key, value] of Object.entries(stated)) {
    if (value == null || commonKeys.includes(key) || ropeKeys[type].includes(key)) continue;
    own.fault(`no such key for rope type "${type}"`, `${at}.${key}`, value);
  }
}

function originalLength(
  values: ConfigValues,
  family: Family,
  own: ConfigValues,
  at: string,
  type: Rope['type'],
): number {
  if (type === 'default' || type === 'linear') return 0;
  // Phi-3 keeps it beside the rope parameters; dynamic stretches from the configured length on.
  if (family.phi3Rope) return values.positive('original_max_position_embeddings');
  if (type === 'dynamic') return values.positive('max_position_embeddings');
  const longest = values.json['max_position_embeddings'] as number | undefined;
  return own.positive(`${at}.original_max_position_embeddings`, longest);
}

function rotatedDims(values: ConfigValues, family: Family, stated: Json, headDim: number): number {
  const part = stated['partial_rotary_factor'] ?? values.json['partial_rotary_factor'] ?? 1;
  if (!(typeof part === 'number' && part > 0 && part <= 1)) {
    values.fault('a number above 0, at most 1', 'partial_rotary_factor', part);
  } else if (part !== 1 && !family.phi3Rope) {
    values.fault('1, because this family rotates whole heads', 'partial_rotary_factor', part);
  }
  const dims = Math.floor(headDim * Number(part));
  if (dims % 2 !== 0 || dims < 2) values.fault('an even number of rotated entries', 'head_dim', dims);
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
