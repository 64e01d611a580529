import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { manifestName } from './manifest.js';
import { libraryNames } from './library-names.js';
import { libtorchPin } from './libtorch-pin.js';
import { supportsVersion } from './supports-version.js';
import type { Libtorch, LibtorchSource } from './libtorch.js';
import type { Manifest } from './manifest.js';

/** A libtorch that can be used, or what is wrong with the folder. */
export type Inspection =
  | { readonly kind: 'usable'; readonly libtorch: Libtorch; readonly note?: string }
  | { readonly kind: 'absent' | 'wrong-version' | 'broken'; readonly found: string };

/** What a libtorch is wanted for. */
export interface InspectOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Whether an addon is to be compiled with it. */
  readonly withHeaders?: boolean;
}

/** Looks at a folder that may hold a libtorch. Reads small files and sizes only; loads nothing. */
export function inspectLibtorch(
  root: string,
  source: LibtorchSource,
  { env = process.env, withHeaders = false }: InspectOptions = {},
): Inspection {
  const shape = faultOfShape(root, source, withHeaders);
  if (shape) return shape;
  const version = readVersion(root);
  if (version === undefined) {
    return { kind: 'broken', found: 'states no version (no TORCH_VERSION in include/, no version.py)' };
  }
  let note: string | undefined;
  if (!supportsVersion(version)) {
    const wanted = `${libtorchPin.oldest} or later and below ${libtorchPin.newestBelow}`;
    if (env['ADAPTIVE_TRAINER_SKIP_VERSION_CHECK'] !== '1') {
      return { kind: 'wrong-version', found: `version ${version}, but ${wanted} is needed` };
    }
    note = `Using libtorch ${version} though ${wanted} is needed, as ADAPTIVE_TRAINER_SKIP_VERSION_CHECK=1 asks.`;
  }
  const libtorch = describe(root, source, version);
  return note === undefined ? { kind: 'usable', libtorch } : { kind: 'usable', libtorch, note };
}

function faultOfShape(root: string, source: LibtorchSource, withHeaders: boolean): Inspection | undefined {
  if (!existsSync(root)) return { kind: 'absent', found: 'no such folder' };
  if (!statSync(root).isDirectory()) return { kind: 'broken', found: 'is a file, not a folder' };
  const needed = libraryNames().map((name) => path.join('lib', name));
  if (withHeaders) needed.push(path.join('include', 'ATen', 'ATen.h'));
  const missing = needed.filter((file) => !existsSync(path.join(root, file)));
  if (missing.length === needed.length) {
    return {
      kind: 'absent',
      found: `holds no libtorch (no lib/${libraryNames()[0]})`,
    };
  }
  if (missing.length > 0) return { kind: 'broken', found: `incomplete, lacks ${missing.join(', ')}` };
  const empty = needed.filter((file) => statSync(path.join(root, file)).size === 0);
  if (empty.length > 0) return { kind: 'broken', found: `incomplete, empty files: ${empty.join(', ')}` };
  const damage = source === 'cache' || source === 'package' ? faultOfManifest(root) : undefined;
  return damage === undefined ? undefined : { kind: 'broken', found: damage };
}

// Sizes, not checksums: those were verified when the files were written, and 400 MB cannot be hashed at every start.
function faultOfManifest(root: string): string | undefined {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(path.join(root, manifestName), 'utf8')) as Manifest;
  } catch {
    return `half-downloaded (no readable ${manifestName}, which is written last)`;
  }
  const wrong = Object.entries(manifest.files).flatMap(([file, { size }]) => {
    const stat = statSync(path.join(root, file), { throwIfNoEntry: false });
    if (stat?.size === size) return [];
    return [`${file} has ${stat === undefined ? 'gone' : `${stat.size} bytes instead of ${size}`}`];
  });
  return wrong.length > 0 ? `damaged: ${wrong.join(', ')}` : undefined;
}

// A wheel has version.py and headers, the official archive build-version and headers; ours keeps the headers.
function readVersion(root: string): string | undefined {
  const places: [string, RegExp][] = [
    [manifestName, /"version":\s*"([^"]+)"/],
    ['version.py', /^__version__\s*=\s*['"]([^'"]+)['"]/m],
    ['build-version', /^\s*(\d\S*)\s*$/m],
    ['include/torch/headeronly/version.h', /#define TORCH_VERSION\s*\\?\s*"([^"]+)"/],
    ['include/torch/csrc/api/include/torch/version.h', /#define TORCH_VERSION\s*\\?\s*"([^"]+)"/],
  ];
  for (const [file, pattern] of places) {
    const full = path.join(root, file);
    const version = existsSync(full) ? pattern.exec(readFileSync(full, 'utf8'))?.[1] : undefined;
    if (version !== undefined) return version;
  }
  return undefined;
}

function describe(root: string, source: LibtorchSource, version: string): Libtorch {
  const libDir = path.join(root, 'lib');
  const cxx11Abi = readCxx11Abi(libDir);
  return {
    root,
    libDir,
    includeDir: path.join(root, 'include'),
    cmakePrefix: path.join(root, 'share', 'cmake'),
    version,
    source,
    ...(cxx11Abi === undefined ? {} : { cxx11Abi }),
    cuda: readdirSync(libDir).some((name) => /^(lib)?torch_cuda\./.test(name)),
  };
}

// Names mangled with the new ABI hold `__cxx11`; libc10 is the small library (1.5 MB), so a search is cheap.
function readCxx11Abi(libDir: string): boolean | undefined {
  if (process.platform !== 'linux') return undefined;
  return readFileSync(path.join(libDir, 'libc10.so')).includes('__cxx11');
}
