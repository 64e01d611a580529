import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

/** Whether there is a program that gives another one a terminal of its own (util-linux's). */
export const hasTerminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes(
  'util-linux',
);

/** What is typed once a text is there that was not there when the last one was typed. */
export interface Typed {
  after: string | RegExp;
  keys: string;
}

export const keys = {
  enter: '\r',
  down: '\u001b[B',
  right: '\u001b[C',
  interrupt: '\u0003',
  end: '\u0004',
  clear: '\u0015',
};

/** What a command did behind a terminal. */
export interface TerminalResult {
  status: number | null;
  /** As it was written, control codes included. */
  raw: string;
  /** Without them. */
  text: string;
}

/** Milliseconds after which a command that still waits is ended. */
const patience = 200_000;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs the command behind a terminal of a width, in a folder, and types. */
export function runInTerminal(
  args: readonly string[],
  typed: readonly Typed[],
  { cwd = root, columns = 100, env = {} }: { cwd?: string; columns?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<TerminalResult> {
  const words = [
    process.execPath,
    '--import',
    `${root}node_modules/tsx/dist/loader.mjs`,
    `${root}src/cli/main.ts`,
    ...args,
  ];
  const line = `stty cols ${columns} rows 40; exec ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}`;
  const quiet = {
    HF_TOKEN: '',
    WANDB_API_KEY: '',
    WORLD_SIZE: '',
    DEBUG: '',
    CI: '',
    NO_COLOR: '',
    TERM: 'xterm-256color',
  };
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd,
    env: { ...process.env, ...quiet, ...env },
    timeout: patience,
  });
  const waiting = [...typed];
  let [raw, seen] = ['', 0];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    raw += chunk;
    const [next] = waiting;
    const text = stripVTControlCharacters(raw.slice(seen));
    const isThere = (after: string | RegExp) =>
      typeof after === 'string' ? text.includes(after) : after.test(text);
    if (next === undefined || !isThere(next.after)) return;
    waiting.shift();
    seen = raw.length;
    // Questions take keys once they stand there whole.
    setTimeout(() => child.stdin.write(next.keys), 50);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, raw, text: stripVTControlCharacters(raw) }));
  });
}
