import { existsSync } from 'node:fs';
import { binaryFault } from '../platform/describe-binary.js';
import { unsupported } from '../platform/explain-missing.js';
import { thisMachine } from '../platform/machine.js';
import type { Machine } from '../platform/machine.js';
import type { Trial } from './try-script.js';

/** A cause that was recognised in what the loader said, and what mends it. */
export interface LoadFailure {
  readonly cause: string;
  readonly fixes: readonly string[];
}

interface Rule {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpExecArray, mends: Mends) => LoadFailure;
}

/** What fixes may name: each a whole clause. */
export interface Mends {
  /** Builds the addon on this machine. */
  readonly rebuild: string;
  /** Brings a sound file of the addon. */
  readonly renewAddon: string;
  /** Brings sound files of libtorch. */
  readonly renewLibtorch: string;
}

const rules: readonly Rule[] = [
  {
    pattern: /(\S*lib(?:torch|c10|gomp|omp)\S*?): cannot open shared object file|Library not loaded: (\S+)/,
    explain: (match, { rebuild, renewLibtorch }) => ({
      cause: `the library ${match[1] ?? match[2]} of libtorch is not where the addon looks for it`,
      fixes: [renewLibtorch, `${rebuild} if that changes nothing`],
    }),
  },
  {
    pattern: /(\S+): cannot open shared object file/,
    explain: (match) => ({
      cause: `the system library ${match[1]} is missing`,
      fixes: [`install the package that holds ${match[1]}`],
    }),
  },
  {
    pattern:
      /version `((?:GLIBCXX|CXXABI|GLIBC)_[\d.]+)' not found \(required by \S*lib(?:torch|c10|gomp)[^/]*\)/,
    explain: (match) => ({
      cause: `this system's C++ or C library is older than libtorch needs (${match[1]} is missing)`,
      fixes: ['run it on Debian 10, Ubuntu 20.04, RHEL 8 or later, or in a container of one (node:22-slim)'],
    }),
  },
  {
    pattern: /version `((?:GLIBCXX|CXXABI|GLIBC)_[\d.]+)' not found/,
    explain: (match, { rebuild }) => ({
      cause: `this system's C++ or C library is older than the one the addon was built with (${match[1]} is missing)`,
      fixes: [rebuild],
    }),
  },
  {
    pattern: /undefined symbol: (\S+)|symbol not found[^:]*: (\S+)/i,
    explain: (match, { rebuild }) => ({
      cause: `the libtorch in use lacks ${match[1] ?? match[2]}: the addon was built against another version`,
      fixes: [rebuild, 'check ADAPTIVE_TRAINER_LIBTORCH, LIBTORCH and LD_LIBRARY_PATH'],
    }),
  },
  {
    pattern:
      /invalid ELF header|file too short|not a mach-o file|wrong ELF class|not a valid Win32|ELF load command|ELF file's phentsize/i,
    explain: (_, { renewAddon, renewLibtorch }) => ({
      cause: 'a file is damaged (the message names it)',
      fixes: [`${renewAddon} if it is the addon`, `${renewLibtorch} if it is a library of libtorch`],
    }),
  },
  {
    pattern: /did not self-register|compiled against a different Node\.js/,
    explain: (_, { rebuild }) => ({
      cause: 'it is no Node addon, or one of an incompatible Node',
      fixes: [rebuild],
    }),
  },
];

/**
 * Reads a failed trial: what went wrong, and what to do about that.
 * @param files what was loaded, the addon first
 */
export function explainLoadFailure(
  trial: Extract<Trial, { ok: false }>,
  mends: Mends,
  files: readonly string[] = [],
  machine: Machine = thisMachine(),
): LoadFailure {
  if (trial.timedOut) {
    return {
      cause: 'loading it did not end in time',
      fixes: ['try again when the machine is less busy', mends.rebuild],
    };
  }
  if (trial.signal === 'SIGILL') {
    return {
      cause: 'it, or libtorch, uses an instruction that this CPU does not have (SIGILL)',
      fixes: [mends.rebuild, 'use a libtorch made for this CPU'],
    };
  }
  const hopeless = unsupported(machine);
  if (hopeless !== undefined) return { cause: hopeless.cause, fixes: [hopeless.fix] };
  const wrong = files
    .filter((file) => existsSync(file))
    .map((file) => ({ file, fault: binaryFault(file, machine) }))
    .find((one): one is { file: string; fault: string } => one.fault !== undefined);
  if (wrong !== undefined) {
    return { cause: wrong.fault, fixes: [wrong.file === files[0] ? mends.renewAddon : mends.renewLibtorch] };
  }
  for (const { pattern, explain } of rules) {
    const match = pattern.exec(trial.stderr);
    if (match) return explain(match, mends);
  }
  if (trial.signal !== null) {
    return {
      cause: `loading it crashed (${trial.signal}); a file may be damaged`,
      fixes: [mends.renewAddon, `${mends.renewLibtorch} if that does not help`],
    };
  }
  return { cause: `loading it failed (exit status ${trial.status})`, fixes: [mends.rebuild] };
}
