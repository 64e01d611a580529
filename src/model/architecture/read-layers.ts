import type { DecoderConfig } from '../../engine/addon.js';
import type { ConfigValues } from './config-values.js';
import { checkRoutedLayers, routes } from './read-routing.js';
import type { Family, Json } from './families.js';

type Layer = DecoderConfig['layers'][number];

/** What differs from layer to layer: rotation, window and the scale of the scores. */
export function readLayers(values: ConfigValues, family: Family, headDim: number): Layer[] {
  const layers = values.size('num_hidden_layers', undefined, 10_000);
  // A count that is out of range has been reported; it must not become a huge array.
  const indices = Array.from({ length: Math.min(layers, 65536) }, (_, i) => i);
  const slides = slidingLayers(values, family, indices);
  const window = slides.includes(true) ? values.size('sliding_window') : 0;
  if (family.rotates) checkLength(values, 'no_rope_layers', layers);
  checkRoutedLayers(values, family);
  const scale = scoreScale(values, family, headDim);
  return indices.map((layer) => ({
    rope: ropeOf(values, family, layer, slides[layer]!),
    window: slides[layer] ? window : 0,
    attentionScale: values.json['scale_attn_by_inverse_layer_idx'] === true ? scale / (layer + 1) : scale,
    ...(routes(values, family, layer) ? { routed: true } : {}),
  }));
}

function ropeOf(values: ConfigValues, family: Family, layer: number, slides: boolean): number {
  if (family.ropes === 'none' || family.rotates?.(values.json, layer, slides) === false) return -1;
  return family.ropes === 'by layer type' && slides ? 1 : 0;
}

function slidingLayers(values: ConfigValues, family: Family, layers: readonly number[]): boolean[] {
  const { json } = values;
  const stated = json['sliding_window'] != null;
  const on = family.windows !== undefined && (!family.windowSwitch || json['use_sliding_window'] === true);
  const types = json['layer_types'];
  if (types != null && !checkLength(values, 'layer_types', layers.length)) return layers.map(() => false);
  if (types != null) checkTypes(values, types as unknown[], family);
  // A family that has one kind of layer keeps it, whatever a list says.
  if (family.windows !== 'layer_types') return layers.map(() => on && stated);
  // Some layers slide by their place alone, and then need a window.
  const mayBe = on && (stated || !family.windowSwitch || family.needsWindow === true);
  if (types == null) {
    const { slides: own, slidesBut } = family;
    const slides = slidesBut === undefined ? own! : everyLayerBut(values, slidesBut);
    return layers.map((layer) => mayBe && slides(json, layer));
  }
  return (types as unknown[]).map((type) => {
    if (type === 'sliding_attention' && !on && family.windowSwitch === 'all')
      values.fault('true', 'use_sliding_window', json['use_sliding_window']);
    return type === 'sliding_attention';
  });
}

function everyLayerBut(values: ConfigValues, usual: number): (json: Json, layer: number) => boolean {
  const key = 'sliding_window_pattern';
  const pattern = key in values.json ? values.json[key] : usual;
  if (!Number.isSafeInteger(pattern) || pattern === 0) values.fault('a whole number, not 0', key, pattern);
  return (_json, layer) => (layer + 1) % Number(pattern) !== 0;
}

function checkTypes(values: ConfigValues, types: readonly unknown[], family: Family): void {
  const { json } = values;
  const isOn = !family.windowSwitch || json['use_sliding_window'] === true;
  const maySlide =
    family.windows === 'layer_types' || (family.windows === 'all' && isOn && json['sliding_window'] != null);
  // "attention" is the older name.
  const known = ['full_attention', 'attention', ...(maySlide ? ['sliding_attention'] : [])];
  const shown = known.filter((type) => type !== 'attention').map((type) => `"${type}"`);
  types.forEach((type, i) => {
    if (!known.includes(String(type))) values.fault(shown.join(' or '), `layer_types[${i}]`, type);
  });
}

function checkLength(values: ConfigValues, key: string, layers: number): boolean {
  const list = values.json[key];
  if (list == null || (Array.isArray(list) && list.length === layers)) return true;
  values.fault(`one entry for each of ${layers} layers`, key, list);
  return false;
}

function scoreScale(values: ConfigValues, family: Family, headDim: number): number {
  if (family.scoreMultiplierKey) return values.positive(family.scoreMultiplierKey);
  if (values.json['scale_attn_weights'] === false) return 1;
  return 1 / Math.sqrt(family.scoreScalarKey ? values.positive(family.scoreScalarKey) : headDim);
}
