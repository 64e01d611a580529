import type { Tokenizer } from '../../tokenizer/tokenizer.js';

/** Neighbouring tokens that are all trained or all not, as text. */
export interface TokenRun {
  text: string;
  isTrained: boolean;
  tokens: number;
}

/**
 * The text of token ids in runs of trained and untrained ones. Every token is spelled as it is, special ones too; a
 * character that is cut by an edge between runs goes to the first of the two.
 */
export function tokenRuns(
  tokenizer: Tokenizer,
  inputIds: ArrayLike<number>,
  labels: ArrayLike<number>,
): TokenRun[] {
  const runs: TokenRun[] = [];
  const bytes: Buffer[][] = [];
  for (let at = 0; at < inputIds.length; at++) {
    const isTrained = labels[at] !== -100;
    if (runs.at(-1)?.isTrained !== isTrained) {
      runs.push({ text: '', isTrained, tokens: 0 });
      bytes.push([]);
    }
    runs.at(-1)!.tokens++;
    bytes.at(-1)!.push(tokenizer.alphabet.bytes(inputIds[at] as number));
  }
  let carried = 0;
  for (const [index, run] of runs.entries()) {
    const own = Buffer.concat(bytes[index]!).subarray(carried);
    const next = index + 1 < runs.length ? Buffer.concat(bytes[index + 1]!) : Buffer.alloc(0);
    carried = 0;
    while (carried < next.length && (next[carried]! & 0xc0) === 0x80) carried++; // the rest of a character
    run.text = Buffer.concat([own, next.subarray(0, carried)]).toString();
  }
  return runs;
}
