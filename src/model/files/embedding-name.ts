import type { DecoderConfig } from '../../engine/addon.js';

const names: Partial<Record<DecoderConfig['names'], string>> = {
  gpt2: 'transformer.wte.weight',
  gpt_neox: 'gpt_neox.embed_in.weight',
};

/** The embedding's name in a causal model. */
export function embeddingName(decoder: Pick<DecoderConfig, 'names'>): string {
  return names[decoder.names] ?? 'model.embed_tokens.weight';
}
