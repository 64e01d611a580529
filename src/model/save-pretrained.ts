import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import type { StorageType } from '../native/addon.js';
import type { CausalLM } from './causal-lm.js';
import { configText } from './config-text.js';

export interface SaveOptions {
  /** Type of the stored weights. Default `float32`, which loses nothing. */
  dtype?: 'float32' | 'bfloat16' | 'float16';
}

const storage = {
  float32: { type: 'F32', bytes: 4 },
  bfloat16: { type: 'BF16', bytes: 2 },
  float16: { type: 'F16', bytes: 2 },
} as const satisfies Record<string, { type: StorageType; bytes: number }>;

/** See CausalLM.savePretrained. */
export async function savePretrained(
  model: CausalLM,
  dir: string,
  { dtype = 'float32' }: SaveOptions,
): Promise<void> {
  await ioStep(dir, () => mkdir(dir, { recursive: true }));
  const config = await configJson(model, dtype);
  const { type, bytes } = storage[dtype];
  const header = safetensorsHeader(model.parameters, type, bytes);
  const names = model.parameters.map(({ name }) => name);
  await replaceFile(join(dir, 'model.safetensors'), (path) =>
    model.call((native) => native.save({ path, header, names, dtype: type })),
  );
  await replaceFile(join(dir, 'config.json'), (path) => writeFile(path, config));
  const generation = join(model.dir, 'generation_config.json');
  if (existsSync(generation)) {
    await replaceFile(join(dir, 'generation_config.json'), (path) => copyFile(generation, path));
  }
  // Shards of a model saved here before would shadow or contradict the single file.
  await rm(join(dir, 'model.safetensors.index.json'), { force: true });
}

/** JSON padded to 8 bytes, so that the data behind it is aligned. */
function safetensorsHeader(parameters: CausalLM['parameters'], dtype: StorageType, bytes: number): string {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape } of parameters) {
    const end = offset + shape.reduce((product, length) => product * length, bytes);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  return text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
}

async function configJson(model: CausalLM, dtype: string): Promise<string> {
  // Before transformers 4.56 the key was torch_dtype.
  const { torch_dtype: _old, ...rest } = model.config;
  const config = { ...rest, dtype };
  const source = join(model.dir, 'config.json');
  return configText(config, existsSync(source) ? await readFile(source, 'utf8') : '{}');
}

/** Writes beside the file, then puts it in place in one step: a reader sees the old file or the new one. */
async function replaceFile(path: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await ioStep(path, () => write(temporary));
    await ioStep(path, () => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function ioStep<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    throw new AdaptiveTrainerError('IO_FAILED', `Cannot write ${path}: ${(cause as Error).message}.`, {
      cause,
      details: { path },
    });
  }
}
