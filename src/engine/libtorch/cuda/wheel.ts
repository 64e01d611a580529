import path from 'node:path';
import { AdaptiveTrainerError } from '../../../errors.js';
import { readZip } from './read-zip.js';
import { normalName, parseRequirement, type Requirement } from './requirement.js';

/** What a wheel's file name says. */
export interface WheelName {
  /** Normalised: `nvidia-cublas`. */
  readonly name: string;
  readonly version: string;
  /** `manylinux_2_28_x86_64`, `any`, … */
  readonly platforms: readonly string[];
}

/** What a wheel says of itself. */
export interface WheelContents {
  readonly requirements: readonly Requirement[];
  /** What torch says in version.py: `2.13.0+cu130`, and the CUDA version that it was built for. */
  readonly torchVersion?: string;
  readonly cuda?: string;
  /** Whether it has torch/lib/libtorch_cuda. */
  readonly hasTorchCuda: boolean;
}

/** Undefined for a name that is not one of a wheel. */
export function parseWheelName(file: string): WheelName | undefined {
  const match = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-([^-]+)\.whl$/.exec(path.basename(file));
  if (match === null) return undefined;
  return { name: normalName(match[1]!), version: match[2]!, platforms: match[3]!.split('.') };
}

/** Whether the libraries of a wheel are for a machine. */
export function fitsMachine(
  { platforms }: WheelName,
  { platform, arch }: { platform: string; arch: string },
) {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[arch] ?? arch;
  const system = platform === 'linux' ? /^(many)?linux/ : platform === 'darwin' ? /^macosx/ : /^win/;
  const processor = { linux: machine, darwin: arch === 'x64' ? 'x86_64' : 'arm64' }[platform] ?? 'amd64';
  return platforms.some((tag) => tag === 'any' || (system.test(tag) && tag.endsWith(`_${processor}`)));
}

/**
 * Reads METADATA, and version.py of torch.
 * @throws AdaptiveTrainerError LIBTORCH_BROKEN for a file that is no sound wheel
 */
export async function readWheel(file: string): Promise<WheelContents> {
  const { texts, names } = await readZip(file, (name) =>
    /^[^/]+\.dist-info\/METADATA$|^torch\/version\.py$/.test(name),
  );
  const metadata = [...texts].find(([name]) => name.endsWith('/METADATA'))?.[1];
  if (metadata === undefined) throw broken(file, 'it has no METADATA');
  const python = texts.get('torch/version.py') ?? '';
  const torchVersion = /^__version__\s*=\s*['"]([^'"]+)['"]/m.exec(python)?.[1];
  const cuda = /^cuda\b[^=\n]*=\s*['"](\d+\.\d+)/m.exec(python)?.[1];
  try {
    return {
      requirements: requirementLines(metadata).map(parseRequirement),
      ...(torchVersion === undefined ? {} : { torchVersion }),
      ...(cuda === undefined ? {} : { cuda }),
      hasTorchCuda: names.some((name) => /^torch\/lib\/(lib)?torch_cuda\./.test(name)),
    };
  } catch (error) {
    throw broken(file, (error as Error).message);
  }
}

// Headers end at the first empty line; a description follows that may hold anything. Continuation lines begin with a space.
function requirementLines(metadata: string): string[] {
  const headers = metadata
    .replace(/\r\n/g, '\n')
    .split('\n\n', 1)[0]!
    .replace(/\n[ \t]+/g, ' ');
  return [...headers.matchAll(/^Requires-Dist:\s*(.*)$/gm)].map(([, text]) => text!);
}

/** The error for a file that is no wheel. */
export function broken(file: string, why: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError('LIBTORCH_BROKEN', `Expected a sound wheel in ${file}, but ${why}.`, {
    details: { zip: file },
  });
}
