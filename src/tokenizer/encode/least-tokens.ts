import { isPlainObject } from '../../common/is-plain-object.js';
import { byteOfCharacter } from './byte-alphabet.js';

type Part = Record<string, unknown>;

/**
 * How many tokens a text has at least, by how much of a text one token can stand for. Long texts can so be told to be too
 * long without being encoded. 0 where nothing can be said: where parts of the tokenizer take text away, or one token may
 * stand for any amount of it.
 */
export class LeastTokens {
  private readonly longest: number | undefined;
  private readonly isComposed: boolean;
  /** Whether tokens take the white space beside them in. */
  private readonly takesSpace: boolean;

  /**
   * @param tokenizer tokenizer.json
   * @param config tokenizer_config.json
   */
  constructor(tokenizer: Part, config: Part) {
    const normalizers = flat(tokenizer['normalizer'], 'normalizers');
    const splitters = flat(tokenizer['pre_tokenizer'], 'pretokenizers');
    const model = tokenizer['model'] as Part;
    const added = (tokenizer['added_tokens'] ?? []) as Part[];
    const isByteLevel = [...splitters, ...normalizers].some(({ type }) => type === 'ByteLevel');
    const takesAway = ['remove_space', 'do_lowercase_and_remove_accent'].some((key) => config[key] === true);
    const isWhole = !takesAway && normalizers.every(keepsText) && splitters.every(keepsParts);
    const hasBytes = model['type'] === 'BPE' && hasEachByte(model, isByteLevel);
    this.longest = isWhole && hasBytes ? longestToken(model, added, isByteLevel) : undefined;
    this.isComposed = normalizers.some(({ type }) => type === 'NFC');
    this.takesSpace = added.some((token) => token['lstrip'] === true || token['rstrip'] === true);
  }

  of(text: string): number {
    // No character has more than three bytes for each of its UTF-16 units.
    if (this.longest === undefined || text.length < this.longest) return 0;
    const composed = this.isComposed ? text.normalize('NFC') : text;
    const counted = this.takesSpace ? composed.replace(/[\s\u0085]+/g, '') : composed;
    return Math.ceil(Buffer.byteLength(counted) / this.longest);
  }
}

function flat(part: unknown, inside: string): Part[] {
  if (!isPlainObject(part)) return [];
  const inner = part[inside];
  return Array.isArray(inner) ? inner.flatMap((one) => flat(one, inside)) : [part];
}

function keepsText({ type, pattern, content }: Part): boolean {
  if (type !== 'Replace') return ['NFC', 'Prepend', 'ByteLevel'].includes(type as string);
  const replaced = isPlainObject(pattern) ? pattern['String'] : undefined;
  return (
    typeof replaced === 'string' &&
    typeof content === 'string' &&
    Buffer.byteLength(content) >= Buffer.byteLength(replaced)
  );
}

function keepsParts({ type, behavior }: Part): boolean {
  if (type === 'Split' || type === 'Punctuation') return behavior !== 'Removed';
  return ['ByteLevel', 'Metaspace', 'Digits'].includes(type as string);
}

/** Else a byte may become nothing, or any number of them one unknown token. */
function hasEachByte(model: Part, isByteLevel: boolean): boolean {
  const vocab = model['vocab'] as Part;
  if (isByteLevel) return [...byteOfCharacter.keys()].every((character) => character in vocab);
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');
  const isThere = (byte: number) => `<0x${hex(byte)}>` in vocab;
  return model['byte_fallback'] === true && Array.from({ length: 256 }, (_, byte) => byte).every(isThere);
}

/** In bytes of text. A byte-level vocabulary has one character for each byte. */
function longestToken(model: Part, added: readonly Part[], isByteLevel: boolean): number {
  let longest = 1;
  for (const token in model['vocab'] as Part)
    longest = Math.max(longest, isByteLevel ? token.length : Buffer.byteLength(token));
  for (const { content } of added) longest = Math.max(longest, Buffer.byteLength(String(content)));
  return longest;
}
