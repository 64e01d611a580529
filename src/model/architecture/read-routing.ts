import type { DecoderConfig } from '../../engine/addon.js';
import type { ConfigValues } from './config-values.js';
import type { Family, Json } from './families.js';

/** Bounds what a configuration that lies makes the engine build. */
const mostExperts = 65_536;

/** What config.json says of the routed experts; undefined for a family, or a number of them, without. */
export function readRouting(values: ConfigValues, family: Family): DecoderConfig['routing'] {
  const { routing } = family;
  if (routing === undefined || !routes(values, family, 0, true)) return undefined;
  const experts = values.size(expertsKey(values.json, routing.experts), undefined, mostExperts);
  return {
    experts,
    active: values.size('num_experts_per_tok', undefined, experts),
    intermediateSize: values.size(routing.width),
    sharedSize: routing.sharedWidth === undefined ? 0 : values.size(routing.sharedWidth),
    normalised: routing.normalises(values.json),
    bias: routing.bias ?? false,
  };
}

/** Whether a layer's feed-forward is its experts. */
export function routes(values: ConfigValues, family: Family, layer: number, any = false): boolean {
  const { routing } = family;
  if (routing === undefined) return false;
  if (!routing.someLayers) return true;
  const { json } = values;
  if (json[expertsKey(json, routing.experts)] === 0) return false;
  return (
    any || (!denseLayers(json).includes(layer) && (layer + 1) % Number(json['decoder_sparse_step']) === 0)
  );
}

/** Faults of the keys that say which layers have experts. */
export function checkRoutedLayers(values: ConfigValues, family: Family): void {
  if (!family.routing?.someLayers) return;
  values.size('decoder_sparse_step');
  const dense = values.json['mlp_only_layers'];
  if (dense != null && !denseLayers(values.json).every(Number.isInteger))
    values.fault('a list of whole numbers', 'mlp_only_layers', dense);
}

function denseLayers(json: Json): unknown[] {
  return Array.isArray(json['mlp_only_layers']) ? (json['mlp_only_layers'] as unknown[]) : [];
}

/** The first that is there: transformers keeps the number under one name and takes the other for it. */
function expertsKey(json: Json, keys: readonly string[]): string {
  return keys.find((key) => key in json) ?? keys[0]!;
}
