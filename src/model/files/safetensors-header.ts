import { open, type FileHandle } from 'node:fs/promises';
import { boundedJson } from '../../common/bounded-json.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { shownJson } from '../../common/shown-json.js';
import type { StoredTensor } from '../../engine/addon.js';

const bytesOf: Record<string, number> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
};
const longestHeader = 100_000_000; // bytes; the limit of the reference implementation

export interface SafetensorsHeader {
  tensors: StoredTensor[];
  metadata: Record<string, string>;
}

/** What a header is read from. */
export interface HeaderSource {
  /** Bytes of the whole file. */
  size: number;
  read: (position: number, length: number) => Promise<Buffer>;
}

/**
 * Reads and checks the header of a safetensors file (https://github.com/huggingface/safetensors#format): sizes add up,
 * and every range lies inside the file, fits its shape and overlaps no other.
 *
 * @throws AdaptiveTrainerError SAFETENSORS_INVALID naming the file and what is wrong; MODEL_NOT_FOUND without the file;
 * IO_FAILED where it cannot be read
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    return await readHeaderFrom(
      { size, read: (position, length) => readExactly(file, position, length, path) },
      path,
    );
  } finally {
    await file.close();
  }
}

/**
 * The same from wherever the file's bytes come.
 * @param path for messages
 */
export async function readHeaderFrom(source: HeaderSource, path: string): Promise<SafetensorsHeader> {
  const length = await headerLength(source, path);
  const text = (await source.read(8, length)).toString('utf8');
  return parseHeader(text, 8 + length, source.size, path);
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new AdaptiveTrainerError(
      missing ? 'MODEL_NOT_FOUND' : 'IO_FAILED',
      `Cannot open the weights ${path}: ${missing ? 'there is no such file' : (cause as Error).message}.`,
      { cause, details: { path } },
    );
  }
}

async function headerLength({ size, read }: HeaderSource, path: string): Promise<number> {
  if (size < 8) throw invalid(path, `at least 8 bytes`, `${size}`);
  const length = Number((await read(0, 8)).readBigUInt64LE());
  if (length > longestHeader)
    throw invalid(path, `a header of at most ${longestHeader} bytes`, `one of ${length}`);
  if (8 + length > size) {
    throw invalid(
      path,
      `a header of ${length} bytes as the file announces`,
      `a file of ${size} bytes, as of a copy that was cut short`,
    );
  }
  return length;
}

async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position).catch((cause: unknown) => {
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Cannot read the weights ${path}: ${(cause as Error).message}.`,
      {
        cause,
        details: { path },
      },
    );
  });
  if (bytesRead !== length) throw invalid(path, `${length} bytes at ${position}`, `${bytesRead}`);
  return buffer;
}

function parseHeader(text: string, dataStart: number, size: number, path: string): SafetensorsHeader {
  const header = parseObject(text, path);
  const metadata = (header['__metadata__'] ?? {}) as Record<string, string>;
  delete header['__metadata__'];
  const tensors = Object.entries(header).map(([name, entry]) => storedTensor(name, entry, dataStart, path));
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataStart;
  for (const tensor of tensors) {
    if (tensor.begin !== end) {
      throw invalid(
        path,
        `${tensor.name} to begin at byte ${end}, where the tensor before it ends`,
        `${tensor.begin}`,
      );
    }
    end = tensor.end;
  }
  if (end !== size) {
    throw invalid(
      path,
      `${end} bytes as its header says`,
      `${size}${end > size ? ', as of a copy that was cut short' : ''}`,
    );
  }
  return { tensors, metadata };
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = boundedJson(text, path, 'SAFETENSORS_INVALID');
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    throw invalid(path, 'a header in JSON', (cause as Error).message, cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid(path, 'a header that is a JSON object', shownJson(header));
  }
  return header as Record<string, unknown>;
}

function storedTensor(name: string, entry: unknown, dataStart: number, path: string): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const bytes = typeof dtype === 'string' ? bytesOf[dtype] : undefined;
  if (bytes === undefined) throw invalid(path, `a known dtype for ${name}`, shownJson(dtype));
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw invalid(path, `a shape of whole numbers for ${name}`, shownJson(shape));
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalid(path, `two data_offsets for ${name}`, shownJson(offsets));
  }
  const [begin, end] = offsets as [number, number];
  const needed = (shape as number[]).reduce((product, length) => product * length, bytes);
  if (end - begin !== needed) {
    throw invalid(path, `${needed} bytes for ${name} (${dtype} ${shownJson(shape)})`, `${end - begin}`);
  }
  return {
    name,
    dtype: dtype as string,
    shape: shape as number[],
    begin: dataStart + begin,
    end: dataStart + end,
  };
}

function invalid(path: string, expected: string, found: string, cause?: unknown): AdaptiveTrainerError {
  const message = `Expected ${expected} in the safetensors file ${path}, found ${found}.`;
  return new AdaptiveTrainerError('SAFETENSORS_INVALID', message, {
    cause,
    details: { path, expected, found },
  });
}

/** The header of a file with these tensors one after another, padded to 8 bytes so that the data behind it is aligned. */
export function safetensorsHeader(
  tensors: readonly { name: string; dtype: string; shape: readonly number[] }[],
): string {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = offset + shape.reduce((product, length) => product * length, bytesOf[dtype]!);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  return text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
}
