import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What is looked at first goes first: with it gone, the rest is not looked at. */
const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors', 'adapter_model.bin'];
const indices = ['model.safetensors.index.json', 'pytorch_model.bin.index.json'];
const wholeFiles = [
  ...indices,
  'model.safetensors',
  'pytorch_model.bin',
  'tf_model.h5',
  'model.ckpt.index',
  'flax_model.msgpack',
  'flax_model.msgpack.index.json',
  'tf_model.h5.index.json',
  'generation_config.json',
  'config.json',
];
const shard =
  /^((model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)|(tf|flax)_model-\d+-of-\d+\.(h5|msgpack))$/;

/** The files in a folder that are, or could be taken for, a model with all its weights. */
export async function wholeModelFiles(dir: string): Promise<string[]> {
  const present = await namesIn(dir);
  const listed = (await Promise.all(indices.map((index) => shardsOf(join(dir, index))))).flat();
  return [...wholeFiles, ...listed, ...present.filter((name) => shard.test(name))].filter((name) =>
    present.includes(name),
  );
}

/** The files in a folder that are, or could be taken for, an adapter. */
export async function adapterModelFiles(dir: string): Promise<string[]> {
  const present = await namesIn(dir);
  return adapterFiles.filter((name) => present.includes(name));
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** An index that cannot be read lists nothing. */
async function shardsOf(index: string): Promise<string[]> {
  try {
    const { weight_map: map } = JSON.parse(await readFile(index, 'utf8')) as { weight_map: object };
    return Object.values(map).filter((name) => typeof name === 'string' && /^[\w.-]+\.\w+$/.test(name));
  } catch {
    return [];
  }
}
