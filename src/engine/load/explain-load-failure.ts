import type { AddonTrial } from './try-addon.js';

/** A cause that was recognised in what the loader said, and what mends it. */
export interface LoadFailure {
  readonly cause: string;
  readonly fixes: readonly string[];
}

interface Rule {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpExecArray, commands: Commands) => LoadFailure;
}

/** The commands that fixes may name. */
export interface Commands {
  readonly rebuild: string;
  readonly setup: string;
}

const rules: readonly Rule[] = [
  {
    pattern: /(\S*lib(?:torch|c10|gomp|omp)\S*?): cannot open shared object file|Library not loaded: (\S+)/,
    explain: (match, { rebuild, setup }) => ({
      cause: `the library ${match[1] ?? match[2]} is not where the addon was built to look for it`,
      fixes: [`run \`${setup}\``, `then \`${rebuild}\`, which links the addon to the libtorch found now`],
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
    pattern: /version `((?:GLIBCXX|CXXABI|GLIBC)_[\d.]+)' not found/,
    explain: (match, { rebuild }) => ({
      cause: `this system's C++ or C library is older than the one the addon was built with (${match[1]} is missing)`,
      fixes: [`build it here: \`${rebuild}\``],
    }),
  },
  {
    pattern: /undefined symbol: (\S+)|symbol not found[^:]*: (\S+)/i,
    explain: (match, { rebuild }) => ({
      cause: `the libtorch in use lacks ${match[1] ?? match[2]}: the addon was built against another version`,
      fixes: [`\`${rebuild}\``, 'check ADAPTIVE_TRAINER_LIBTORCH, LIBTORCH and LD_LIBRARY_PATH'],
    }),
  },
  {
    pattern: /invalid ELF header|file too short|not a mach-o file|wrong ELF class|not a valid Win32/i,
    explain: (_, { rebuild, setup }) => ({
      cause: 'a file is damaged or made for another platform (the message names it)',
      fixes: [`\`${rebuild}\` if it is the addon`, `\`${setup} --force\` if it is a library of libtorch`],
    }),
  },
  {
    pattern: /did not self-register|compiled against a different Node\.js/,
    explain: (_, { rebuild }) => ({
      cause: 'it is no Node addon, or one of an incompatible Node',
      fixes: [`\`${rebuild}\``],
    }),
  },
];

/** Reads a failed trial: what went wrong, and what to do about that. */
export function explainLoadFailure(
  trial: Extract<AddonTrial, { ok: false }>,
  commands: Commands,
): LoadFailure {
  if (trial.timedOut) {
    return {
      cause: 'loading it did not end in time',
      fixes: ['try again when the machine is less busy', `\`${commands.rebuild}\``],
    };
  }
  if (trial.signal === 'SIGILL') {
    return {
      cause: 'it, or libtorch, uses an instruction that this CPU does not have (SIGILL)',
      fixes: [`build it on this machine: \`${commands.rebuild}\``, 'use a libtorch made for this CPU'],
    };
  }
  for (const { pattern, explain } of rules) {
    const match = pattern.exec(trial.stderr);
    if (match) return explain(match, commands);
  }
  if (trial.signal !== null) {
    return {
      cause: `loading it crashed (${trial.signal})`,
      fixes: [`\`${commands.rebuild}\``, `\`${commands.setup} --force\` if that does not help`],
    };
  }
  return { cause: `loading it failed (exit status ${trial.status})`, fixes: [`\`${commands.rebuild}\``] };
}
