import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { AdaptiveTrainerError } from '../../errors.js';
import { tokenWord } from './token-word.js';

/** Where the tokens of rows are: in memory, or in an open file that begins with them. */
export type TokenWords = { memory: Uint32Array } | { file: number; path: string };

// A file is closed when the rows that are read from it are gone.
const openFiles = new FinalizationRegistry<number>((file) => closeSync(file));

/** Rows of token ids at four bytes a token, in memory or on disk, each read when it is asked for. */
export class TokenRows {
  /** Where each row starts, in tokens; one more than there are rows. */
  private readonly starts: Float64Array;
  /** A hash of all rows. */
  readonly digest: string;

  /**
   * @param lengths tokens per row, [rows]
   * @param wordsDigest SHA-256 of the tokens
   * @param trained tokens per row that are trained, [rows]; the first one, which nothing predicts, not counted
   */
  constructor(
    readonly lengths: Uint32Array,
    readonly trained: Uint32Array,
    private readonly words: TokenWords,
    wordsDigest: string,
  ) {
    this.digest = createHash('sha256').update(wordsDigest).update(lengths).digest('hex');
    this.starts = new Float64Array(lengths.length + 1);
    for (let row = 0; row < lengths.length; row++) {
      this.starts[row + 1] = (this.starts[row] as number) + (lengths[row] as number);
    }
    if ('file' in words) openFiles.register(this, words.file);
  }

  get length(): number {
    return this.lengths.length;
  }

  /**
   * Returns one row, both arrays [tokens].
   * @throws AdaptiveTrainerError `IO_FAILED` when the file was cut meanwhile
   */
  row(index: number): { inputIds: Int32Array; labels: Int32Array } {
    const words = this.read(this.starts[index] as number, this.lengths[index] as number);
    const inputIds = new Int32Array(words.length);
    const labels = new Int32Array(words.length);
    for (let at = 0; at < words.length; at++) {
      inputIds[at] = tokenWord.id(words[at] as number);
      labels[at] = tokenWord.label(words[at] as number);
    }
    return { inputIds, labels };
  }

  private read(start: number, count: number): Uint32Array {
    if ('memory' in this.words) return this.words.memory.subarray(start, start + count);
    const { file, path } = this.words;
    const words = new Uint32Array(count);
    const bytes = new Uint8Array(words.buffer);
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(file, bytes, done, bytes.length - done, start * 4 + done);
      if (read === 0) {
        throw new AdaptiveTrainerError(
          'IO_FAILED',
          `Expected ${bytes.length} bytes of tokens at ${start * 4} in ${path} but the file ends before. Run again.`,
          { details: { path } },
        );
      }
      done += read;
    }
    return words;
  }
}
