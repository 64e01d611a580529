import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const packages = ['torch==2.13.0', 'transformers==5.18.0', 'trl==1.13.0', 'datasets', 'accelerate'];

const cpuIndex = 'https://download.pytorch.org/whl/cpu';

/**
 * A Python with TRL in it: the given one, or a virtual environment of the benchmark's own, made on first use. On Linux
 * PyTorch's own index is added, whose CPU build is a tenth of what PyPI would send.
 */
export async function pythonEnv(folder: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const windows = process.platform === 'win32';
  const python = windows ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
  if (existsSync(python) && (await hasPackages(python))) return python;
  console.log(
    `Making ${folder} with ${packages.join(', ')} (a few minutes, once; --peers none leaves it out)…`,
  );
  await mkdir(dirname(folder), { recursive: true });
  await run(windows ? 'python' : 'python3', ['-m', 'venv', folder]);
  const index =
    process.platform === 'linux' && (await answers(cpuIndex)) ? ['--extra-index-url', cpuIndex] : [];
  await run(python, ['-m', 'pip', 'install', '--quiet', ...packages, ...index], { maxBuffer: 1 << 26 });
  return python;
}

/** pip would try an index that is out of reach again and again, for every package. */
async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/torch/`, { method: 'HEAD', signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}

async function hasPackages(python: string): Promise<boolean> {
  try {
    await run(python, [
      '-c',
      'import importlib.metadata as m; [m.version(p) for p in ("torch", "trl", "datasets")]',
    ]);
    return true;
  } catch {
    return false; // an install that was cut off: pip completes it
  }
}
