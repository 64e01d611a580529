import { sharedEnds } from './shared-ends.js';
import type { TextSpan } from './text-span.js';
import type { TokenAlphabet } from './token-alphabet.js';
import type { Tokenizer } from '../tokenizer.js';

/** Byte offsets of each token in a text: token `t` covers `starts[t]` to `ends[t]`. */
interface TokenBytes {
  starts: Int32Array;
  ends: Int32Array;
}

/**
 * Marks the tokens that cover at least a part of one of the spans: one byte per token, 1 or 0. A character split over
 * several tokens marks all of them; a token that reaches over the edge of a span is marked.
 *
 * The tokenizer gives no offsets. They follow from the bytes each token stands for, which must spell the whole text;
 * where they do not (normalised text, unknown characters), the text up to each edge is encoded and compared.
 *
 * @param ids the encoding of the whole `text`
 */
export function tokensCovering(
  tokenizer: Tokenizer,
  text: string,
  ids: readonly number[],
  spans: readonly TextSpan[],
): Uint8Array {
  const mask = new Uint8Array(ids.length);
  const { alphabet } = tokenizer;
  const asIs = spell(alphabet, ids, text);
  if (asIs !== undefined) {
    for (const { start, end } of spans) {
      mark(mask, asIs, Buffer.byteLength(text.slice(0, start)), Buffer.byteLength(text.slice(0, end)));
    }
    return mask;
  }
  const normalized = alphabet.normalize(text);
  const inNormalized = spell(alphabet, ids, normalized);
  for (const { start, end } of spans) {
    if (inNormalized === undefined) {
      markByEncoding(tokenizer, mask, text, ids, { start, end });
      continue;
    }
    // Normalising may join what stands left and right of an edge: then the joined character belongs to the span.
    const before = sharedEnds.leading(alphabet.normalize(text.slice(0, start)), normalized);
    const after = sharedEnds.trailing(alphabet.normalize(text.slice(end)), normalized);
    const until = normalized.slice(0, normalized.length - after);
    mark(mask, inNormalized, Buffer.byteLength(normalized.slice(0, before)), Buffer.byteLength(until));
  }
  return mask;
}

function mark(mask: Uint8Array, { starts, ends }: TokenBytes, from: number, to: number): void {
  for (let token = 0; token < mask.length; token++) {
    if ((starts[token] ?? 0) < to && (ends[token] ?? 0) > from) mask[token] = 1;
  }
}

/** Where each token lies in the text, or undefined if the tokens do not spell exactly this text. */
function spell(alphabet: TokenAlphabet, ids: readonly number[], text: string): TokenBytes | undefined {
  const bytes = Buffer.from(text);
  return walk(alphabet, ids, bytes, false) ?? walk(alphabet, ids, bytes, true);
}

/** `dropPrefix`: sections begin with a space that SentencePiece adds and the text does not have. */
function walk(
  alphabet: TokenAlphabet,
  ids: readonly number[],
  bytes: Buffer,
  dropPrefix: boolean,
): TokenBytes | undefined {
  const starts = new Int32Array(ids.length);
  const ends = new Int32Array(ids.length);
  let at = 0;
  let previous: { rstrip: boolean } | undefined;
  for (const [index, id] of ids.entries()) {
    const added = alphabet.added.get(id);
    if (previous?.rstrip || added?.lstrip) {
      while (at < bytes.length && isSpace(bytes[at])) at++;
    }
    const atSectionStart = index === 0 || (previous !== undefined && added === undefined);
    const length = alphabet.matchLength(id, bytes, at, dropPrefix && atSectionStart);
    if (length === undefined) return undefined;
    starts[index] = at;
    at += length;
    ends[index] = at;
    previous = added;
  }
  if (previous?.rstrip) while (at < bytes.length && isSpace(bytes[at])) at++;
  return at === bytes.length ? { starts, ends } : undefined;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/** The last resort: what the tokens before and after the span have in common with those of the cut text. */
function markByEncoding(
  tokenizer: Tokenizer,
  mask: Uint8Array,
  text: string,
  ids: readonly number[],
  { start, end }: TextSpan,
): void {
  const before = sharedEnds.leading(tokenizer.encode(text.slice(0, start)), ids);
  const after = sharedEnds.trailing(tokenizer.encode(text.slice(end)), ids);
  mask.fill(1, before, Math.max(before, ids.length - after));
}
