import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersion } from '../../common/package-version.js';
import { throwIfAborted } from '../../common/throw-if-aborted.js';
import { makeFolder, writeDurably } from '../../common/write-durably.js';
import type { ComputeType, StoredTensor } from '../../engine/addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { readSafetensorsHeader, safetensorsHeader } from '../../model/files/safetensors-header.js';
import { flatBatch } from '../../model/flat-batch.js';
import type { RetentionRows } from './retention-rows.js';
import { statesFolder } from './states-folder.js';

/** Where a model's last hidden states of some rows lie. */
export interface BaseStates {
  path: string;
  tensor: StoredTensor;
  /** Where each row begins, and the total at the end. */
  cuSeqlens: Int32Array;
}

interface StatesRequest {
  /** What the model computes in. */
  computeType: ComputeType;
  /** Default: `base-states` in the cache folder. */
  cache?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

const storedTypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;
const tokensAtOnce = 2048;
const unusedDays = 30;

/**
 * The last hidden states of rows by a model as it stands, in the type that it computes in, in a file of the cache folder: 2 or
 * 4 bytes × hidden size per token. Written once per weights, type and rows.
 */
export async function baseStates(
  model: CausalLM,
  list: RetentionRows,
  request: StatesRequest,
): Promise<BaseStates> {
  const { computeType, cache = statesFolder() } = request;
  const cuSeqlens = Int32Array.from([0, ...sums(list.rows.map((row) => row.length))]);
  const digest = await model.call((native) => native.weightsDigest());
  const key = [packageVersion(), digest, model.decoder, computeType, list.hash];
  // What an adapter adds to the weights is not in their digest.
  const name = model.adapter === undefined ? [key] : [key, randomUUID()];
  const path = join(
    cache,
    `${createHash('sha256').update(JSON.stringify(name)).digest('hex').slice(0, 40)}.states`,
  );
  if (!existsSync(path)) {
    await makeFolder(cache);
    await prune(cache);
    await writeDurably(path, (temporary) => writeStates(temporary, model, list.rows, request));
  }
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
  const { tensors } = await readSafetensorsHeader(path);
  return { path, tensor: tensors[0]!, cuSeqlens };
}

async function writeStates(
  path: string,
  model: CausalLM,
  rows: readonly Int32Array[],
  { computeType, signal, onProgress }: StatesRequest,
): Promise<void> {
  const tokens = rows.reduce((sum, row) => sum + row.length, 0);
  const shape = [tokens, model.decoder.hiddenSize];
  const header = Buffer.from(safetensorsHeader([{ name: 'hidden', dtype: storedTypes[computeType], shape }]));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = await open(path, 'w');
  try {
    await file.appendFile(Buffer.concat([length, header]));
    for (let first = 0, next = 0; first < rows.length; first = next) {
      throwIfAborted(signal, 'The run was aborted before its first step.');
      for (let taken = 0; next < rows.length && (next === first || taken < tokensAtOnce); next++)
        taken += rows[next]!.length;
      const batch = flatBatch(rows.slice(first, next));
      await file.appendFile(await model.call((native) => native.baseHiddenStates(batch)));
      onProgress?.(next, rows.length);
    }
  } finally {
    await file.close();
  }
}

/** Removes what was not used for a month. */
async function prune(cache: string): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    const path = join(cache, name);
    const used = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    if (Date.now() - used > unusedDays * 86_400_000) await rm(path, { force: true }).catch(() => {});
  }
}

function sums(numbers: readonly number[]): number[] {
  let sum = 0;
  return numbers.map((number) => (sum += number));
}
