import { open } from 'node:fs/promises';
import { boundedJson } from '../../common/bounded-json.js';
import { firstOf } from '../../common/first-of.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { NamedWeight, QuantizedWeight, StoredTensor } from '../../engine/addon.js';
import { projectionModules } from '../adapter/adapter-modules.js';
import type { WeightFile } from '../files/find-weights.js';

/** What stands behind the name of a 4-bit weight. */
const parts = ['absmax', 'quant_map', 'nested_absmax', 'nested_quant_map'];
const stateName = /\.quant_state\.bitsandbytes__(nf4|fp4)$/;
/** Far more than such a description takes. */
const longestState = 1 << 16;

/** Names of the quantised weights of a checkpoint of bitsandbytes, by kind. */
function quantizedNames(files: readonly WeightFile[]): { four: Set<string>; eight: Set<string> } {
  const names = files.flatMap(({ tensors }) => tensors.map(({ name }) => name));
  const ending = (end: string) =>
    names.filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));
  return {
    four: new Set(ending('.absmax')),
    eight: new Set(ending('.SCB').map((module) => `${module}.weight`)),
  };
}

function isPart(name: string, { four, eight }: ReturnType<typeof quantizedNames>): boolean {
  const state = name.replace(stateName, '');
  if (state !== name) return four.has(state);
  const dot = name.lastIndexOf('.');
  const [owner, end] = [name.slice(0, dot), name.slice(dot + 1)];
  if (end === 'SCB' || end === 'weight_format') return eight.has(`${owner}.weight`);
  return parts.includes(end) && four.has(owner);
}

/**
 * The files with each quantised weight as one tensor of the shape that the model has for it, to be compared with the model:
 * as many bytes are what tells that it fits.
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED where embeddings or the head are quantised
 */
export function asWholeWeights(
  files: readonly WeightFile[],
  parameters: readonly NamedWeight[],
): WeightFile[] {
  const names = quantizedNames(files);
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const projections = new Set(projectionModules(parameters).map((module) => `${module}.weight`));
  const other = [...names.four, ...names.eight].find((name) => shapes.has(name) && !projections.has(name));
  if (other !== undefined)
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected projections alone to be quantised in ${firstOf(files.map(({ path }) => path))}, found ${other}. Quantise the model anew with lm_head and embeddings among llm_int8_skip_modules.`,
    );
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors
      .filter(({ name }) => !isPart(name, names))
      .map((tensor) => {
        const shape = names.four.has(tensor.name) ? shapes.get(tensor.name) : undefined;
        const size = shape?.reduce((product, length) => product * length, 1);
        const fits = size !== undefined && tensor.end - tensor.begin === Math.ceil(size / 2);
        return fits ? { ...tensor, shape: [...shape!] } : tensor;
      }),
  }));
}

/**
 * What the quantised weights of a checkpoint are kept in, and the files as the engine reads them.
 * @throws AdaptiveTrainerError SAFETENSORS_INVALID for a description that bitsandbytes does not write; MODEL_UNSUPPORTED for
 * one that is not built
 */
export async function readQuantized(
  files: readonly WeightFile[],
): Promise<{ weights: QuantizedWeight[]; files: WeightFile[] }> {
  const names = quantizedNames(files);
  const weights: QuantizedWeight[] = [];
  const read: WeightFile[] = [];
  for (const { path, tensors } of files) {
    const own: StoredTensor[] = [];
    for (const tensor of tensors) {
      const { name, begin, end } = tensor;
      if (stateName.test(name)) {
        weights.push(stateOf(name, await bytesOf(path, tensor), path));
      } else if (name.endsWith('.weight_format') && isPart(name, names)) {
        checkFormat(name, await bytesOf(path, tensor), path);
      } else if (names.eight.has(name)) {
        weights.push({ name, type: 'int8', blockSize: 64, nested: false, offset: 0 });
        own.push(tensor);
      } else if (names.four.has(name)) {
        // Whatever type they are called: bytes of codes.
        own.push({ ...tensor, dtype: 'U8', shape: [end - begin, 1] });
      } else {
        own.push(isPart(name, names) ? { ...tensor, name: name.replace(/\.SCB$/, '.weight.SCB') } : tensor);
      }
    }
    read.push({ path, tensors: own });
  }
  const described = new Set(weights.map(({ name }) => name));
  const lacking = [...names.four].find((name) => !described.has(name));
  if (lacking !== undefined)
    throw invalid(files[0]!.path, `a description of the quantised ${lacking} (quant_state)`, 'none');
  return { weights, files: read };
}

async function bytesOf(path: string, { name, begin, end }: StoredTensor): Promise<Buffer> {
  const length = end - begin;
  if (length > longestState) throw invalid(path, `at most ${longestState} bytes of ${name}`, `${length}`);
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, begin);
    return buffer;
  } finally {
    await file.close();
  }
}

function stateOf(tensorName: string, bytes: Buffer, path: string): QuantizedWeight {
  const state: unknown = boundedJson(
    bytes.toString('utf8'),
    `${tensorName} of ${path}`,
    'SAFETENSORS_INVALID',
  );
  if (!isPlainObject(state)) throw invalid(path, `an object in ${tensorName}`, 'none');
  const { quant_type: type, blocksize, nested_blocksize: nestedBlock, nested_offset: offset = 0 } = state;
  const nested = nestedBlock !== undefined;
  const size = blocksize as number;
  if (type !== 'nf4' && type !== 'fp4')
    throw invalid(path, `"nf4" or "fp4" as quant_type in ${tensorName}`, JSON.stringify(type));
  if (!Number.isSafeInteger(size) || size < 32 || size > 4096 || !Number.isInteger(Math.log2(size)))
    throw invalid(
      path,
      `a blocksize from 32 to 4096, a power of 2, in ${tensorName}`,
      JSON.stringify(blocksize),
    );
  if (nested && nestedBlock !== 256)
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected a nested_blocksize of 256 in ${tensorName} of ${path}, found ${JSON.stringify(nestedBlock)}.`,
    );
  if (typeof offset !== 'number' || !Number.isFinite(offset))
    throw invalid(path, `a finite nested_offset in ${tensorName}`, JSON.stringify(offset));
  return { name: tensorName.replace(stateName, ''), type, blockSize: size, nested, offset };
}

/** Of the layouts of 8-bit weights, rows one after another is what a CPU reads. */
function checkFormat(name: string, bytes: Buffer, path: string): void {
  if (bytes.every((byte) => byte === 0)) return;
  throw new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected 8-bit weights in rows (a weight_format of 0) in ${name} of ${path}, found ${bytes[0]}. Save them anew with a present bitsandbytes.`,
  );
}

function invalid(path: string, expected: string, found: string): AdaptiveTrainerError {
  const message = `Expected ${expected} in the safetensors file ${path}, found ${found}.`;
  return new AdaptiveTrainerError('SAFETENSORS_INVALID', message, { details: { path, expected, found } });
}
