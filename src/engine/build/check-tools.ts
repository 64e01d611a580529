import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { AdaptiveTrainerError } from '../../errors.js';

// A header of C++20: some compilers take the option and lack the library.
const program = '#include <span>\nint main() { return static_cast<int>(std::span<int>().size()); }\n';

/**
 * Makes sure that what builds the addon is on this machine: CMake 3.18, a C++20 compiler, and ninja or make.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT that names all that is missing, and the command that installs it.
 */
export function checkTools(retry: string, env: NodeJS.ProcessEnv = process.env): void {
  const missing: string[] = [];
  const found: string[] = [];
  const cmake = output('cmake', ['--version'], env);
  const version = /cmake version (\d+)\.(\d+)/.exec(cmake ?? '');
  if (cmake === undefined) missing.push('cmake');
  else if (version && Number(version[1]) === 3 && Number(version[2]) < 18) {
    missing.push('cmake');
    found.push(`cmake ${version[1]}.${version[2]}, older than 3.18`);
  }
  if (process.platform !== 'win32') {
    const compilers = [env['CXX'], 'c++', 'g++', 'clang++'].filter((name): name is string => Boolean(name));
    const present = compilers.filter((name) => output(name, ['--version'], env) !== undefined);
    if (!present.some((name) => compilesCxx20(name, env))) {
      missing.push('g++');
      if (present[0]) found.push(`${present[0]}, which does not compile C++20`);
    }
    if (!['ninja', 'make'].some((name) => output(name, ['--version'], env) !== undefined))
      missing.push('make');
  }
  if (missing.length === 0) return;
  const instead = found.length === 0 ? '' : ` (found ${found.join(' and ')})`;
  const fix = installCommand(missing);
  throw new AdaptiveTrainerError(
    'ADDON_NOT_BUILT',
    `Building the addon needs CMake and a C++20 compiler, but this machine lacks: ${missing.join(', ')}${instead}.\n` +
      `Install them with \`${fix}\` and run \`${retry}\` again. Nothing was fetched.`,
    { details: { tried: [], fix } },
  );
}

function compilesCxx20(compiler: string, env: NodeJS.ProcessEnv): boolean {
  const args = ['-std=c++20', '-x', 'c++', '-fsyntax-only', '-'];
  return spawnSync(compiler, args, { input: program, env, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

function output(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const run = spawnSync(command, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] });
  return run.status === 0 ? run.stdout : undefined;
}

function installCommand(missing: readonly string[]): string {
  if (process.platform === 'darwin')
    return `xcode-select --install && brew install ${missing.includes('cmake') ? 'cmake' : 'make'}`;
  if (process.platform === 'win32') return 'winget install Kitware.CMake';
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  if (existsSync('/usr/bin/dnf')) return `${sudo}dnf install ${missing.join(' ').replace('g++', 'gcc-c++')}`;
  if (existsSync('/sbin/apk')) return `${sudo}apk add ${missing.join(' ')}`;
  return `${sudo}apt-get install -y ${missing.join(' ')}`;
}
