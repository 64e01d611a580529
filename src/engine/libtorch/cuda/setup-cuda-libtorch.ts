import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { OnSetupProgress } from '../../../common/setup-progress.js';
import { AdaptiveTrainerError } from '../../../errors.js';
import { libtorchRelease } from '../../platform/prebuilt.js';
import { expectRoom } from '../explain-storage.js';
import type { ExtractedFile } from '../extract-zip.js';
import { sizeOfZip } from '../extract-zip.js';
import { inspectLibtorch } from '../inspect-libtorch.js';
import { installIntoCache } from '../install-into-cache.js';
import type { Libtorch } from '../libtorch.js';
import { libtorchPin } from '../libtorch-pin.js';
import { manifestName, manifestText } from '../manifest.js';
import { selectOfTorch } from '../select-of-torch.js';
import { unpackWheel } from '../unpack-wheel.js';
import { cachedCudaDir, cachedCudaLibtorch } from './cached-cuda-libtorch.js';
import { wheelFetcher, type FetchCudaOptions } from './fetch-cuda-wheels.js';
import { gatherWheels, type WheelSource } from './gather-wheels.js';
import { parseRequirement } from './requirement.js';
import { parseWheelName, readWheel, type WheelContents } from './wheel.js';
import { downloadAdvice, newestIn, torchIn, wheelsIn } from './wheel-folder.js';

/** What setup of a libtorch with CUDA may be told. */
export interface CudaSetupOptions extends Pick<FetchCudaOptions, 'env' | 'interpreters'> {
  /** The version that the addon was built for; another one of the same release will do where there is no network. */
  readonly version?: string;
  /** A folder with wheels, in place of pip and the network. */
  readonly from?: string;
  /** Told the CUDA version as soon as it is known, before gigabytes follow; may throw. */
  readonly onCuda?: (cuda: string | undefined) => void;
  readonly onProgress?: OnSetupProgress;
  /** Fetch again even where a sound one is in the cache. */
  readonly force?: boolean;
}

/** About what pip downloads, and what that unpacks to. */
const downloadBytes = 2.8e9;
const unpackedBytes = 4.5e9;

interface Wheels {
  readonly torch: string;
  readonly contents: WheelContents;
  readonly nvidia: readonly string[];
}

/**
 * Makes sure that a libtorch with CUDA is in this project's cache, with NVIDIA's libraries that it loads. It is loaded once in
 * another process before it counts as there; that takes no GPU.
 * @throws AdaptiveTrainerError NOT_AVAILABLE on other systems than Linux, LIBTORCH_NOT_FOUND, LIBTORCH_WRONG_VERSION,
 * LIBTORCH_BROKEN, IO_FAILED when the disk is full or the cache cannot be written to, or what `onCuda` throws
 */
export async function setupCudaLibtorch(options: CudaSetupOptions = {}): Promise<Libtorch> {
  const { env = process.env, force = false, onProgress = () => {} } = options;
  const version = (options.version ?? libtorchPin.version).split('+')[0]!;
  if (process.platform !== 'linux') throw notHere();
  const folder = cachedCudaDir(version, env);
  const kept = `${folder}.wheels`;
  const libtorch = await installIntoCache({
    ...{ folder, force, onProgress },
    inspect: () => inspectLibtorch(cachedCudaLibtorch(version, env), 'cache', { env, withHeaders: true }),
    need: 'about 8 GB while it is fetched',
    fill: async (into) => {
      if (force) await rm(kept, { recursive: true, force: true });
      const wheels = await findWheels(version, kept, { ...options, onProgress });
      await unpackAll(wheels, into, options.from === undefined, onProgress);
      await expectToLoad(path.join(into, 'torch', 'lib', 'libtorch_cuda.so'));
    },
  });
  await rm(kept, { recursive: true, force: true });
  return libtorch;
}

async function findWheels(
  version: string,
  kept: string,
  { from, onCuda, onProgress, env, interpreters }: CudaSetupOptions & { onProgress: OnSetupProgress },
): Promise<Wheels> {
  let source: WheelSource;
  let torch: string;
  if (from === undefined) {
    expectRoom(path.dirname(kept), downloadBytes + unpackedBytes, 'libtorch for CUDA while it is fetched');
    source = await wheelFetcher({
      ...{ folder: kept, version, onProgress },
      ...(env === undefined ? {} : { env }),
      ...(interpreters === undefined ? {} : { interpreters }),
    });
    // The wheel without a mark has CUDA; an index may hold the one for the CPU besides.
    torch = (await source(parseRequirement(`torch==${version},!=${version}+cpu`)))!;
  } else {
    const wheels = await wheelsIn(from);
    source = (requirement) => Promise.resolve(newestIn(wheels, requirement));
    torch = torchIn(from, wheels, { version, cuda: true });
  }
  const contents = await readWheel(torch);
  expectCuda(torch, contents, version);
  onCuda?.(contents.cuda);
  const { wheels, missing } = await gatherWheels(torch, source);
  if (missing.length > 0) throw incomplete(from!, torch, missing, version);
  return { torch, contents, nvidia: wheels };
}

async function unpackAll(
  { torch, contents, nvidia }: Wheels,
  into: string,
  wereFetched: boolean,
  onProgress: OnSetupProgress,
): Promise<void> {
  const wheels = [torch, ...nvidia];
  let bytes = 0;
  for (const zip of wheels) bytes += await sizeOfZip({ zip, select: selectForCuda });
  expectRoom(into, bytes, 'libtorch for CUDA as it is unpacked');
  const all = new Map<string, ExtractedFile>();
  for (const zip of wheels) {
    const again = wereFetched
      ? 'It was deleted: run `npx adaptive-trainer setup --cuda` again, which fetches it anew.'
      : 'Download that wheel again.';
    try {
      const files = await unpackWheel({ zip, into, select: selectForCuda, again, onProgress });
      for (const [name, file] of files) all.set(path.posix.relative('torch', name), file);
    } catch (error) {
      if (wereFetched && AdaptiveTrainerError.isInstance(error, 'LIBTORCH_BROKEN'))
        await rm(zip, { force: true });
      throw error;
    }
  }
  const version = contents.torchVersion ?? parseWheelName(torch)!.version;
  const source = wheels.map((wheel) => path.basename(wheel)).join(', ');
  await writeFile(path.join(into, 'torch', manifestName), manifestText(version, source, all));
}

/** `torch` and `nvidia` side by side, without what serves Python, static linking and programs. */
function selectForCuda(name: string): string | undefined {
  const license = /^([^/]+)\.dist-info\/(?:licenses\/)?(licen[sc]e[^/]*)$/i.exec(name);
  if (license !== null) return `licenses/${license[1]}/${license[2]}`;
  if (/^nvidia\/[^/]+\/(lib|include)\//.test(name)) return /\.(a|py|pyc)$/.test(name) ? undefined : name;
  if (name === 'torch/version.py') return name;
  const inner = selectOfTorch(name, 'torch/');
  return inner === undefined ? undefined : `torch/${inner}`;
}

/** Loads it in another process: what a library lacks shows here, and not when a GPU is asked for. */
async function expectToLoad(library: string): Promise<void> {
  const script = `
    try {
      process.dlopen({ exports: {} }, process.argv[1], require('node:os').constants.dlopen.RTLD_NOW);
    } catch (error) {
      // It is loaded then, and is no addon of Node.
      if (/did not self-register/.test(error.message)) process.exit(0);
      console.error(error.message);
      process.exit(1);
    }`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    await promisify(execFile)(process.execPath, ['-e', script, library], { env, timeout: 300_000 });
  } catch (cause) {
    const { stderr, signal } = cause as { stderr?: string; signal?: string };
    const said = stderr?.trim() || (signal ? `it ended with ${signal}` : (cause as Error).message);
    throw new AdaptiveTrainerError(
      'LIBTORCH_BROKEN',
      `Expected ${path.basename(library)} to load once it was unpacked, but: ${said}. Nothing was kept of it. Where a library of the ` +
        'system is missing, install it; otherwise run `npx adaptive-trainer setup --cuda --force`.',
      { cause },
    );
  }
}

function expectCuda(torch: string, { hasTorchCuda, torchVersion }: WheelContents, version: string): void {
  const name = path.basename(torch);
  if (!hasTorchCuda) {
    throw new AdaptiveTrainerError(
      'LIBTORCH_NOT_FOUND',
      `Expected a wheel of torch ${version} with CUDA, found ${name}, which is for the CPU alone. Name an index that has it, for ` +
        'example PIP_INDEX_URL=https://download.pytorch.org/whl/cu130, and run `npx adaptive-trainer setup --cuda --force`.',
    );
  }
  const found = torchVersion ?? parseWheelName(torch)?.version ?? 'of an unknown version';
  if (libtorchRelease(found) === libtorchRelease(version)) return;
  throw new AdaptiveTrainerError(
    'LIBTORCH_WRONG_VERSION',
    `Expected torch ${libtorchRelease(version)}, for which the addon was built, found ${found} in ${name}.`,
    { details: { expected: libtorchRelease(version) } },
  );
}

function incomplete(
  folder: string,
  torch: string,
  missing: readonly string[],
  version: string,
): AdaptiveTrainerError {
  const list = missing.map((requirement) => `  - ${requirement}`).join('\n');
  return new AdaptiveTrainerError(
    'LIBTORCH_NOT_FOUND',
    `Expected all wheels that ${path.basename(torch)} needs in ${folder}, but it lacks:\n${list}\n${downloadAdvice(folder, parseWheelName(torch)?.version ?? version, true)}`,
    { details: { tried: [folder], expected: missing.join(', ') } },
  );
}

function notHere(): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'NOT_AVAILABLE',
    `Expected Linux, on which GPUs of NVIDIA are computed on, found ${process.platform}. Nothing was fetched. Run ` +
      '`npx adaptive-trainer setup --cpu` for the CPU.',
  );
}
