import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { packageVersion } from '../../common/package-version.js';
import { writeTextDurably } from '../../common/write-durably.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { CausalLM } from '../causal-lm.js';
import { weightsFingerprint } from '../files/weights-fingerprint.js';
import { textStart } from './text-start.js';

/** Rows that are written side by side. Fixed, so that what is written does not depend on the machine's memory. */
const rowsPerBatch = 64;

/** How many texts a model is to write, and which. */
export interface BaseTextsRequest {
  /** Rows. */
  samples: number;
  /** Tokens of each row, the first of which is the BOS. A start of several tokens makes rows longer. */
  length: number;
  /** Another seed gives other texts. Row r depends on seed and r alone. */
  seed: number;
  /** Folder that they are kept in. Default: `base-texts` in the cache folder. */
  cache?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Told how many rows are written. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What a model wrote. */
export interface BaseTexts {
  /** Token ids, the start included. */
  rows: readonly Int32Array[];
  /** SHA-256 of the ids. */
  hash: string;
  /** Whether they were in the cache folder. */
  isCached: boolean;
}

/**
 * Texts that a model writes as it stands, by plain sampling (temperature 1) from where its texts begin: what it knows, in
 * its own words. An end of text does not end a row; the next text goes on in it. Kept in the cache folder per model, where
 * its weights come from files.
 *
 * @throws AdaptiveTrainerError ABORTED; INVALID_INPUT for a model whose texts have no beginning, or fewer positions
 */
export async function baseTexts(
  model: CausalLM,
  tokenizer: Tokenizer | undefined,
  request: BaseTextsRequest,
): Promise<BaseTexts> {
  const start = textStart(model, tokenizer);
  const file = await cacheFile(model, start, request);
  const probe = await probeOf(model);
  const kept = file === undefined ? undefined : await readTexts(file, probe);
  if (kept !== undefined) return { rows: kept, hash: rowsHash(kept), isCached: true };
  const rows = await writeTexts(model, start, request);
  if (file !== undefined) {
    const text = JSON.stringify({ probe, rows: rows.map((row) => [...row]) });
    // Without a cache the texts are written anew each time.
    await writeTextDurably(file, `${text}\n`).catch(() => {});
  }
  return { rows, hash: rowsHash(rows), isCached: false };
}

async function writeTexts(
  model: CausalLM,
  start: readonly number[],
  { samples, length, seed, signal, onProgress }: BaseTextsRequest,
): Promise<Int32Array[]> {
  const rows: Int32Array[] = [];
  const options = { maxNewTokens: length - 1, temperature: 1, stopTokenIds: [], ...(signal && { signal }) };
  while (rows.length < samples) {
    const count = Math.min(rowsPerBatch, samples - rows.length);
    const prompts = Array.from({ length: count }, () => start);
    const written = await model.generateBatch(prompts, { ...options, seed: seed + rows.length }).collect();
    rows.push(...written.map((ids) => Int32Array.from([...start, ...ids])));
    onProgress?.(rows.length, samples);
  }
  return rows;
}

/** Undefined for a model whose weights are in no file. */
async function cacheFile(
  model: CausalLM,
  start: readonly number[],
  { samples, length, seed, cache = join(cacheDir(), 'base-texts') }: BaseTextsRequest,
): Promise<string | undefined> {
  const weights = await weightsFingerprint(model.dir);
  if (weights === null) return undefined;
  const key = [packageVersion(), weights, model.decoder, start, samples, length, seed];
  const name = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 40);
  return join(cache, `${name}.json`);
}

/** Some logits of the model as it stands in memory, which may have been trained since it was read. */
async function probeOf(model: CausalLM): Promise<number[]> {
  const { vocabSize } = model;
  const ids = Array.from({ length: 16 }, (_, index) => (index * 7919 + 1) % vocabSize);
  const { data } = await model.logits([ids]);
  return ids.map((id) => data[(ids.length - 1) * vocabSize + id]!);
}

/** Undefined where there are none, or those of other weights. */
async function readTexts(file: string, probe: readonly number[]): Promise<Int32Array[] | undefined> {
  try {
    const kept = JSON.parse(await readFile(file, 'utf8')) as { probe: number[]; rows: number[][] };
    // Another number of threads or a lower precision computes about the same.
    const isClose = (one: number, index: number) =>
      Math.abs(one - kept.probe[index]!) <= 0.05 * (1 + Math.abs(one));
    if (kept.probe.length !== probe.length || !probe.every(isClose)) return undefined;
    return kept.rows.map((row) => Int32Array.from(row));
  } catch {
    return undefined; // Not there, or damaged: written anew.
  }
}

/** SHA-256 of rows of token ids. */
export function rowsHash(rows: readonly Int32Array[]): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(Int32Array.of(row.length)).update(row);
  return hash.digest('hex');
}
