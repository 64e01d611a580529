import type { Tokenizer as Encoder } from '@huggingface/tokenizers';

/** What the tokens of a vocabulary stand for in a text, in UTF-8 bytes. */
export class TokenAlphabet {
  /** One more than the highest token id. */
  readonly size: number;
  /** Ids of added tokens, and whether each takes the white space before (`lstrip`) or after it (`rstrip`) with it. */
  readonly added: ReadonlyMap<number, { lstrip: boolean; rstrip: boolean }>;
  /** True where `▁` stands for a space in the vocabulary (SentencePiece), false for byte-level vocabularies. */
  readonly hasMetaspace: boolean;
  private readonly cache = new Map<number, readonly Buffer[]>();

  constructor(
    private readonly encoder: Encoder,
    tokenizerJson: Record<string, unknown>,
  ) {
    const added = [...encoder.get_added_tokens_decoder().entries()];
    this.added = new Map(added.map(([id, token]) => [id, { lstrip: token.lstrip, rstrip: token.rstrip }]));
    let size = 0;
    for (const id of encoder.get_vocab(true).values()) size = Math.max(size, id + 1);
    this.size = size;
    const parts = JSON.stringify([tokenizerJson['decoder'], tokenizerJson['pre_tokenizer']]);
    this.hasMetaspace = !parts.includes('"ByteLevel"');
  }

  /** The byte strings a token may stand for, likeliest first: one, or two where an added token could be read both ways. */
  bytes(id: number): readonly Buffer[] {
    let forms = this.cache.get(id);
    if (forms === undefined) {
      const token = this.encoder.id_to_token(id) ?? '';
      const spelled = this.hasMetaspace ? metaspaceBytes(token) : byteLevelBytes(token);
      forms = this.added.has(id) ? [Buffer.from(token), spelled] : [spelled];
      this.cache.set(id, forms);
    }
    return forms;
  }

  /** The text as the model part of the tokenizer sees it, in the spelling of `bytes`. */
  normalize(text: string): string {
    const normalized = this.encoder.normalizer === null ? text : this.encoder.normalizer(text);
    return this.hasMetaspace ? normalized.replaceAll('▁', ' ') : normalized;
  }
}

function metaspaceBytes(token: string): Buffer {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  return byte?.[1] === undefined ? Buffer.from(token.replaceAll('▁', ' ')) : Buffer.of(parseInt(byte[1], 16));
}

function byteLevelBytes(token: string): Buffer {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) return Buffer.from(token); // a token that is spelled out, such as <think>
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

/** The alphabet of byte-level BPE (GPT-2): printable Latin-1 bytes are themselves, the rest follow from U+0100 on. */
const byteOfCharacter = new Map<string, number>();
let next = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const isItself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  byteOfCharacter.set(String.fromCharCode(isItself ? byte : next++), byte);
}
