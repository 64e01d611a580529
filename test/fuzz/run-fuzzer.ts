import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '../helpers/temp-dir.js';
import type { TargetName } from './targets.js';
import type { FuzzNote, FuzzOrder } from './worker.js';

export interface FuzzOptions {
  target: TargetName;
  seed: number;
  /** Files to read. Default: as many as there is time for. */
  rounds?: number;
  /** Default: no bound. */
  minutes?: number;
  /** Reads this file alone. */
  replay?: string;
  /** Where files that bring something to light are saved. */
  findings: string;
  /** Told of each finding when it is made. */
  onFinding?: (finding: Finding) => void;
}

export interface Finding {
  /** What happened: the stack of an error that is not the library's own, `hung`, `ended with SIGSEGV`, … */
  what: string;
  /** The saved file. */
  file: string;
}

export interface FuzzReport {
  /** Files that were read. */
  rounds: number;
  /** How often each came: `read`, or the code of an error. */
  outcomes: Record<string, number>;
  /** One of each kind. */
  findings: Finding[];
  /** Of the last file that was refused. */
  lastMessage: string;
}

/** Seconds that one small file may take, on a machine that has other things to do. */
const longestSeconds = 120;
const mostFindings = 10;

/** Reads changed files in a child process, which is started again when it ends or hangs. */
export async function runFuzzer(options: FuzzOptions): Promise<FuzzReport> {
  const { target, seed, rounds = Infinity, minutes = Infinity, replay } = options;
  const report: FuzzReport = { rounds: 0, outcomes: {}, findings: [], lastMessage: '' };
  const folder = tempDir();
  const kinds = new Set<string>();
  const order: FuzzOrder = {
    ...{ target, seed, folder, firstRound: 0, endRound: Math.min(rounds, 2 ** 31) },
    until: Math.min(Date.now() + minutes * 60_000, 2 ** 51),
    ...(replay === undefined ? {} : { replay }),
  };
  const found = (what: string, name: string) => {
    // The same line of the library fails for many files: one of them is enough.
    const kind = /\bsrc\/.*/.exec(what)?.[0] ?? what.replace(/\d+/g, '#');
    if (kinds.has(kind)) return;
    kinds.add(kind);
    const bytes = readFileSync(join(folder, `case.${name}`));
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    mkdirSync(options.findings, { recursive: true });
    const finding = { what, file: join(options.findings, `${target}-${hash}.${name}`) };
    writeFileSync(finding.file, bytes);
    report.findings.push(finding);
    options.onFinding?.(finding);
  };
  for (;;) {
    const last = await runWorker(order, report, found);
    if (last === undefined || replay !== undefined || report.findings.length >= mostFindings) return report;
    order.firstRound = last + 1;
  }
}

/** Runs a worker to its end. Returns the round that ended it before its time; undefined: it came to its end. */
function runWorker(
  order: FuzzOrder,
  report: FuzzReport,
  found: (what: string, name: string) => void,
): Promise<number | undefined> {
  const child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [JSON.stringify(order)], {
    execArgv: ['--import', 'tsx', '--max-old-space-size=1024'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let [round, name, errors, isHung] = [order.firstRound - 1, '', '', false];
  child.stderr!.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(0, 8000)));
  // Setting up trains a model or reads a tokenizer, which a busy machine may take long for.
  let timer = watch(child, 5 * longestSeconds, () => (isHung = true));
  child.on('message', (note: FuzzNote) => {
    clearTimeout(timer);
    timer = watch(child, longestSeconds, () => (isHung = true));
    if (note.type === 'reading') return ([round, name] = [note.round, note.name]);
    report.rounds++;
    if (note.type === 'finding') return found(note.what, note.name);
    report.outcomes[note.code] = (report.outcomes[note.code] ?? 0) + 1;
    if (note.message !== '') report.lastMessage = note.message;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) return resolve(undefined);
      if (name === '') return reject(new Error(`The target ${order.target} could not be set up:\n${errors}`));
      const end = isHung
        ? `took more than ${longestSeconds} seconds`
        : `ended the process (${signal ?? `status ${status}`})`;
      found(`${end}\n${isHung ? '' : errors.split('\n').slice(0, 40).join('\n')}`, name);
      resolve(round);
    });
  });
}

function watch(child: ChildProcess, seconds: number, onHung: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    onHung();
    child.kill('SIGKILL');
  }, seconds * 1000);
}
