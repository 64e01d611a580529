const hashes = 48;
const bands = 12;
const perBand = hashes / bands;
/** Share of runs of words that two texts must have in common, about. */
const similar = 0.8;
const runLength = 3;
/** Shorter texts, which templates make alike, are only compared whole. */
const leastWords = 40;
const mostWords = 2000;

/**
 * Texts, and whether another is nearly one of them: the same but for case, punctuation and spaces, or, where it is of 40 words or more,
 * with 8 in 10 of its runs of three words in common (MinHash with 48 hashes, in 12 bands).
 */
export class NearTexts {
  private readonly whole = new Set<string>();
  private readonly buckets = new Map<string, number[]>();
  private readonly signatures: Uint32Array[] = [];

  add(text: string): void {
    const words = wordsOf(text);
    this.whole.add(words.join(' '));
    if (words.length < leastWords) return;
    const signature = signatureOf(words);
    const index = this.signatures.push(signature) - 1;
    for (const key of bandKeys(signature)) {
      const bucket = this.buckets.get(key);
      if (bucket === undefined) this.buckets.set(key, [index]);
      else if (bucket.length < 50) bucket.push(index);
    }
  }

  has(text: string): boolean {
    const words = wordsOf(text);
    if (this.whole.has(words.join(' '))) return true;
    if (words.length < leastWords) return false;
    const signature = signatureOf(words);
    return bandKeys(signature).some((key) =>
      (this.buckets.get(key) ?? []).some((index) => likeness(signature, this.signatures[index]!) >= similar),
    );
  }
}

function wordsOf(text: string): string[] {
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  // A text of signs alone is compared by these.
  return words.length > 0 ? words.slice(0, mostWords) : [text.replace(/\s+/g, '')];
}

function signatureOf(words: readonly string[]): Uint32Array {
  const signature = new Uint32Array(hashes).fill(0xffffffff);
  for (let at = 0; at + runLength <= words.length; at++) {
    const run = hashOf(words.slice(at, at + runLength).join(' '));
    for (let number = 0; number < hashes; number++) {
      // Another hash for each number from the one of the text (SplitMix32).
      let mixed = (run + Math.imul(number + 1, 0x9e3779b9)) | 0;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      const value = (mixed ^ (mixed >>> 16)) >>> 0;
      if (value < signature[number]!) signature[number] = value;
    }
  }
  return signature;
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

function bandKeys(signature: Uint32Array): string[] {
  return Array.from(
    { length: bands },
    (_, band) => `${band}:${signature.subarray(band * perBand, (band + 1) * perBand).join()}`,
  );
}

function likeness(one: Uint32Array, other: Uint32Array): number {
  let same = 0;
  for (let at = 0; at < hashes; at++) if (one[at] === other[at]) same++;
  return same / hashes;
}
