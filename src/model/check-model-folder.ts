import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { adapterBase, isAdapterFolder } from '../common/adapter-folder.js';
import { loadAddon } from '../engine/load/load-addon.js';
import type { DecoderConfig } from '../engine/addon.js';
import { engineCall } from '../engine/engine-call.js';
import { findAdapter } from './adapter/find-adapter.js';
import { readModelConfig } from './architecture/read-model-config.js';
import { checkWeights } from './files/check-weights.js';
import { findWeights } from './files/find-weights.js';
import { fullWeightNames } from './files/full-weight-names.js';
import { storedHead } from './files/stored-head.js';

/**
 * Checks what can be known of a model without reading its weights: that config.json, or adapter_config.json, can be
 * computed, and that the headers of the weights have every tensor in its shape.
 *
 * @returns what config.json says, an adapter's base's; undefined where that is no folder
 * @throws AdaptiveTrainerError what opening the model would throw for these
 */
export async function checkModelFolder(
  dir: string,
  { ignoreDropout = false, needsWeights = true }: { ignoreDropout?: boolean; needsWeights?: boolean } = {},
): Promise<DecoderConfig | undefined> {
  if (isAdapterFolder(dir)) {
    const { base } = await findAdapter(dir, { needsWeights });
    const folder = base === undefined ? undefined : resolve(adapterBase({ dir, base }));
    if (folder === undefined || !existsSync(join(folder, 'config.json'))) return undefined;
    return checkModelFolder(folder, { ignoreDropout, needsWeights });
  }
  const { decoder } = await readModelConfig(dir, { ignoreDropout });
  if (!needsWeights) return decoder;
  const embedding = decoder.names === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
  const named = fullWeightNames(await findWeights(dir), embedding);
  const head = await storedHead(named, embedding, decoder.tiedHead);
  // Memory that was never written is not taken.
  const native = await engineCall(async () => loadAddon().createModel({ ...decoder, tiedHead: head.tied }));
  try {
    checkWeights(await engineCall(() => native.parameters()), head.files);
  } finally {
    native.dispose();
  }
  return decoder;
}
