import type { Tokenizer as Encoder } from '@huggingface/tokenizers';

const leaf = 1 << 8;
const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

interface Normalizer {
  config?: { type?: unknown; precompiled_charsmap?: unknown };
  normalizers?: Normalizer[];
  normalize(text: string): string;
}

/** Puts the character maps of tokenizer.json in place of the library's guess at them (NFKC and a list of spaces). */
export function addCharsmaps(encoder: Encoder): void {
  const visit = (normalizer: Normalizer) => {
    normalizer.normalizers?.forEach(visit);
    const { type, precompiled_charsmap: charsmap } = normalizer.config ?? {};
    if (type !== 'Precompiled' || typeof charsmap !== 'string' || charsmap === '') return;
    const map = new PrecompiledCharsmap(charsmap);
    normalizer.normalize = (text) => map.normalize(text);
  };
  if (encoder.normalizer !== null) visit(encoder.normalizer as unknown as Normalizer);
}

/** A character map of SentencePiece: a double-array trie of UTF-8 (Darts), then the texts that it points to. */
export class PrecompiledCharsmap {
  private readonly units: Uint32Array;
  private readonly texts: Buffer;

  /** @throws Error for what is no character map */
  constructor(base64: string) {
    const bytes = Buffer.from(base64, 'base64');
    const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
    if (size < 4 || size % 4 !== 0 || size + 4 > bytes.length)
      throw new Error('precompiled_charsmap is cut off');
    this.units = Uint32Array.from({ length: size / 4 }, (_, index) => bytes.readUInt32LE(4 + 4 * index));
    this.texts = bytes.subarray(4 + size);
  }

  normalize(text: string): string {
    // A grapheme of ASCII is one character, but for CR LF.
    const isPlain = /^[\0-\x0c\x0e-\x7f]*$/.test(text); // eslint-disable-line no-control-regex
    const graphemes = isPlain ? text : Array.from(segmenter.segment(text), ({ segment }) => segment);
    let normalized = '';
    for (const grapheme of graphemes) {
      const whole = Buffer.byteLength(grapheme) < 6 ? this.find(grapheme) : undefined;
      if (whole !== undefined) normalized += whole;
      else for (const character of grapheme) normalized += this.find(character) ?? character;
    }
    return normalized;
  }

  /** What stands for a text that begins with an entry of the map, the shortest one; undefined: none does. */
  private find(text: string): string | undefined {
    let node = offset(this.units[0]!);
    for (const byte of Buffer.from(text)) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = this.units[node];
      if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
      node ^= offset(unit);
      if ((unit & leaf) !== 0) return this.textAt((this.units[node] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  private textAt(start: number): string {
    const end = this.texts.indexOf(0, start);
    return this.texts.toString('utf8', start, end < 0 ? this.texts.length : end);
  }
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}
