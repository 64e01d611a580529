import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, realpath, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { staleMs, takeLock, withLock } from '../../common/with-lock.js';
import { ioError } from '../../common/write-durably.js';
import { AdaptiveTrainerError } from '../../errors.js';

/** Who trains into a folder, in `.run.lock.json` beside the lock for as long as it is held. */
interface Holder {
  id: string;
  pid: number;
  /** When the process began, in the system's own count; null where the system does not tell. */
  born: string | null;
  host: string;
  runName: string;
  since: string;
}

/** The lock on an output folder. */
export interface OutputLock {
  /** @throws AdaptiveTrainerError OUTPUT_DIR_BUSY where another process has taken the folder over meanwhile */
  check(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Makes a folder this run's own until it is released. What a killed process left is taken over: at once where it ran on
 * this machine, else 30 seconds after its last sign of life.
 * @param dir is there
 * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY naming the folder and who trains into it; IO_FAILED
 */
export async function lockOutputDir(dir: string, runName: string): Promise<OutputLock> {
  try {
    // Two paths may lead to one folder.
    const real = await realpath(dir);
    const [lock, record] = [join(real, '.run.lock'), join(real, '.run.lock.json')];
    const holder = describeSelf(runName);
    // Looking who holds the lock and taking it over is one act, or two processes would both take it from a dead one.
    const release = await withLock(join(real, '.run.lock.guard'), {}, async () => {
      const taken = await takeUnlessHeld(lock, await readHolder(record));
      if (taken === undefined) throw busy(dir, await readHolder(record));
      await writeFile(record, `${JSON.stringify(holder)}\n`);
      return taken;
    });
    return {
      async check() {
        const now = await readHolder(record);
        if (now !== undefined && now.id !== holder.id) throw busy(dir, now);
      },
      async release() {
        const now = await readHolder(record);
        if (now?.id === holder.id) await rm(record, { force: true }).catch(() => {});
        await release();
      },
    };
  } catch (cause) {
    throw ioError(dir, cause);
  }
}

/** Whether a run trains into a folder, as far as this machine can tell: one on another machine counts as running for 30 seconds. */
export async function isTrainedInto(dir: string): Promise<boolean> {
  const holder = await readHolder(join(dir, '.run.lock.json'));
  if (holder === undefined) return false;
  if (holder.host === hostname()) return isAlive(holder);
  const lock = await stat(join(dir, '.run.lock')).catch(() => undefined);
  return lock !== undefined && Date.now() - lock.mtimeMs < staleMs;
}

async function takeUnlessHeld(lock: string, holder: Holder | undefined) {
  if (holder === undefined || holder.host !== hostname() || !existsSync(lock)) return takeLock(lock);
  // One that has not refreshed its lock for a while may only be suspended, or busy.
  if (isAlive(holder) && holder.born !== null) return undefined;
  if (!isAlive(holder)) await rmdir(lock).catch(() => {});
  return takeLock(lock);
}

function isAlive({ pid, born }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process is alive too.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // Numbers of processes are used again, in containers within seconds.
  const now = bornOf(pid);
  return born === null || now === null || now === born;
}

function describeSelf(runName: string): Holder {
  const { pid } = process;
  const [id, since] = [randomUUID(), new Date().toISOString()];
  return { id, pid, born: bornOf(pid), host: hostname(), runName, since };
}

/** When a process began, in clock ticks since the start of the system; null where there is no /proc. */
function bornOf(pid: number): string | null {
  try {
    // The name in parentheses may hold spaces; the fields that follow it are counted from 3.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

async function readHolder(record: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(record, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function busy(dir: string, holder: Holder | undefined): AdaptiveTrainerError {
  const isHere = holder?.host === hostname();
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid}${isHere ? '' : ` on ${holder.host}`} (run ${JSON.stringify(holder.runName)}, since ${holder.since})`;
  const gone = isHere ? '' : ' If that process is gone, the folder is free 30 seconds after its end.';
  return new AdaptiveTrainerError(
    'OUTPUT_DIR_BUSY',
    `Expected an output folder that no other run writes to, but ${who} trains into ${dir}. Wait for its end, or give another outputDir.${gone}`,
    { details: { outputDir: dir, holder: holder && publicPart(holder) } },
  );
}

function publicPart({ pid, host, runName, since }: Holder) {
  return { pid, host, runName, since };
}
