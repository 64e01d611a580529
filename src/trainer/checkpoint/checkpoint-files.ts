import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { pipeline } from 'node:stream/promises';
import { AdaptiveTrainerError } from '../../errors.js';
import { sync, writeDurably } from '../../common/write-durably.js';

/** Lists the other files of a checkpoint with size and SHA-256. It is written last: without it there is no checkpoint. */
const manifestName = 'checkpoint.json';

/** What wrote a checkpoint, and when in its run. */
export interface CheckpointOrigin {
  runId: string;
  /** Optimizer steps done. */
  step: number;
}

const manifestSchema = z.looseObject({
  version: z.literal(1),
  runId: z.string().exactOptional(),
  step: z.int().min(0).exactOptional(),
  /** ISO 8601. */
  savedAt: z.string().exactOptional(),
  files: z.record(z.string(), z.looseObject({ bytes: z.number(), sha256: z.string() })),
});
type Manifest = z.infer<typeof manifestSchema>;

/** Seals a folder whose files are all written, after each of them is on the disk. */
export async function sealCheckpoint(dir: string, { runId, step }: CheckpointOrigin): Promise<void> {
  const savedAt = new Date().toISOString();
  const manifest: Manifest = { version: 1, runId, step, savedAt, files: {} };
  for (const name of (await readdir(dir)).sort()) {
    await sync(join(dir, name));
    manifest.files[name] = {
      bytes: (await stat(join(dir, name))).size,
      sha256: await hashFile(join(dir, name)),
    };
  }
  await writeDurably(join(dir, manifestName), (path) =>
    writeFile(path, `${JSON.stringify(manifest, null, 2)}\n`),
  );
}

/**
 * Checks a sealed folder against its list.
 * @returns the list
 * @throws AdaptiveTrainerError CHECKPOINT_INVALID naming every file that is missing, cut short or changed
 */
export async function verifyCheckpoint(dir: string): Promise<Manifest> {
  const manifest = await readManifest(dir);
  const faults: string[] = [];
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    const path = join(dir, name);
    const size = await stat(path).then(
      (file) => file.size,
      () => undefined,
    );
    if (size === undefined) faults.push(`${name} is missing`);
    else if (size !== bytes) faults.push(`${name} has ${size} bytes instead of ${bytes}`);
    else if ((await hashFile(path)) !== sha256) faults.push(`${name} has changed since it was written`);
  }
  if (faults.length > 0) throw invalid(dir, `a whole checkpoint`, faults.join(', '));
  return manifest;
}

/**
 * The list of a sealed folder, of which nothing is checked.
 * @throws AdaptiveTrainerError CHECKPOINT_INVALID
 */
export async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, manifestName);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw invalid(dir, manifestName, (cause as Error).message, cause);
  }
  const { success, data, error } = manifestSchema.safeParse(value);
  if (success) return data;
  const faults = error.issues.map(({ path: key, message }) => `${key.join('.') || 'the whole'}: ${message}`);
  throw invalid(dir, `${manifestName} of version 1`, faults.join('; '));
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function invalid(dir: string, expected: string, found: string, cause?: unknown): AdaptiveTrainerError {
  return new AdaptiveTrainerError('CHECKPOINT_INVALID', `Expected ${expected} in ${dir}, found: ${found}.`, {
    cause,
    details: { path: dir },
  });
}
