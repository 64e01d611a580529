import type { Tokenizer as Encoder } from '@huggingface/tokenizers';

const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/**
 * Spells what a Unigram vocabulary lacks in its byte tokens (`<0x0A>`), where tokenizer.json says `byte_fallback`. The
 * library does so for BPE only (huggingface/tokenizers.js, issue 26), and every line break would be `<unk>`.
 */
export function addByteFallback(encoder: Encoder, config: Record<string, unknown>): void {
  const model = encoder.model as unknown as {
    encode(pieces: string[]): string[];
    tokens_to_ids: ReadonlyMap<string, number>;
  };
  if (config['type'] !== 'Unigram' || config['byte_fallback'] !== true) return;
  const known = model.tokens_to_ids;
  const encode = model.encode.bind(model);
  model.encode = (pieces) =>
    encode(pieces).flatMap((piece) => {
      if (known.has(piece)) return [piece];
      const bytes = [...Buffer.from(piece)].map(hex);
      return bytes.every((token) => known.has(token)) ? bytes : [piece];
    });
}

/** Encodes what most vocabularies lack, and so sees to it that the fallback is run. @throws Error where it is not */
export function checkByteFallback(encoder: Encoder, config: Record<string, unknown>): void {
  const tokens = Array.from({ length: 256 }, (_, byte) => encoder.token_to_id(hex(byte)));
  if (config['byte_fallback'] !== true || tokens.includes(undefined)) return;
  const unknown = encoder.token_to_id(String(config['unk_token'] ?? '')) ?? config['unk_id'];
  for (const text of ['\n', 'é', '€', '🙂', ' a']) {
    const { ids } = encoder.encode(text, { add_special_tokens: false });
    if (!ids.some((id: number | undefined) => id === undefined || id === unknown)) continue;
    throw new Error(`it ignores model.byte_fallback, so ${JSON.stringify(text)} would be unknown`);
  }
}
