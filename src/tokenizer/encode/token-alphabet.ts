import type { Tokenizer as Encoder } from '@huggingface/tokenizers';
import { byteOfCharacter } from './byte-alphabet.js';

/** What the tokens of a vocabulary stand for in a text, in UTF-8 bytes. */
export class TokenAlphabet {
  /** One more than the highest token id. */
  readonly size: number;
  /** Ids of added tokens, and whether each takes the white space before (`lstrip`) or after it (`rstrip`) with it. */
  readonly added: ReadonlyMap<number, { lstrip: boolean; rstrip: boolean }>;
  /** True where `▁` stands for a space in the vocabulary (SentencePiece), false for byte-level vocabularies. */
  readonly hasMetaspace: boolean;
  // The bytes of all tokens that were asked for, one after the other, and where those of each token are. A buffer for
  // each would take a hundred bytes for every four.
  private packed = Buffer.alloc(1 << 16);
  private used = 0;
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;

  /** @param parts of tokenizer.json */
  constructor(
    private readonly encoder: Encoder,
    parts: { decoder?: unknown; pre_tokenizer?: unknown },
  ) {
    const added = [...encoder.get_added_tokens_decoder().entries()];
    this.added = new Map(added.map(([id, token]) => [id, { lstrip: token.lstrip, rstrip: token.rstrip }]));
    let size = 0;
    for (const id of encoder.get_vocab(true).values()) size = Math.max(size, id + 1);
    this.size = size;
    this.starts = new Int32Array(size).fill(-1);
    this.ends = new Int32Array(size);
    this.hasMetaspace = !JSON.stringify([parts.decoder, parts.pre_tokenizer]).includes('"ByteLevel"');
  }

  /** The likeliest byte string that a token stands for. */
  bytes(id: number): Buffer {
    this.find(id);
    return this.packed.subarray(this.starts[id], this.ends[id]);
  }

  /**
   * How many bytes of `text` from `at` on a token stands for; undefined where the text goes on otherwise. An added token
   * may be read both as it is and in the spelling of the vocabulary.
   *
   * @param dropSpace leave out a space that the token begins with
   */
  matchLength(id: number, text: Buffer, at: number, dropSpace: boolean): number | undefined {
    this.find(id);
    const length = matched(this.packed, this.starts[id]!, this.ends[id]!, text, at, dropSpace);
    if (length !== undefined || !this.added.has(id)) return length;
    const other = this.spelled(this.encoder.id_to_token(id) ?? '');
    return matched(other, 0, other.length, text, at, dropSpace);
  }

  /** The text as the model part of the tokenizer sees it, in the spelling of `bytes`. */
  normalize(text: string): string {
    const normalized = this.encoder.normalizer === null ? text : this.encoder.normalizer(text);
    return this.hasMetaspace ? normalized.replaceAll('▁', ' ') : normalized;
  }

  private find(id: number): void {
    if (this.starts[id]! >= 0) return;
    const token = this.encoder.id_to_token(id) ?? '';
    // Gemma lists runs of spaces among its added tokens.
    const isSpelled = !this.added.has(id) || (this.hasMetaspace && /^▁+$/.test(token));
    const bytes = isSpelled ? this.spelled(token) : Buffer.from(token);
    if (this.used + bytes.length > this.packed.length) {
      const larger = Buffer.alloc(Math.max(this.packed.length * 2, this.used + bytes.length));
      this.packed.copy(larger);
      this.packed = larger;
    }
    this.packed.set(bytes, this.used);
    this.starts[id] = this.used;
    this.used += bytes.length;
    this.ends[id] = this.used;
  }

  private spelled(token: string): Buffer {
    return this.hasMetaspace ? metaspaceBytes(token) : byteLevelBytes(token);
  }
}

function matched(
  token: Buffer,
  from: number,
  end: number,
  text: Buffer,
  at: number,
  dropSpace: boolean,
): number | undefined {
  const start = dropSpace && from < end && token[from] === 0x20 ? from + 1 : from;
  for (let i = start; i < end; i++) if (token[i] !== text[at + i - start]) return undefined;
  return end - start;
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
