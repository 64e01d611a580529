/** The holder of a lock refreshes it every few seconds; one that has not for this long is dead. */
export const staleMs = 30_000;
const pollMs = 500;

/**
 * Takes a lock file (it is made for the while, as a folder) and keeps it fresh. A process that died without a farewell
 * loses its lock after 30 seconds; one that ends in any other way gives it back.
 * @returns the function that gives it back; undefined where another holds it
 */
export async function takeLock(file: string): Promise<(() => Promise<void>) | undefined> {
  const { default: lockfile } = await import('proper-lockfile');
  let compromised: Error | undefined;
  try {
    const release = await lockfile.lock(file, {
      lockfilePath: file,
      realpath: false,
      stale: staleMs,
      // Without a handler this would end the process from a timer.
      onCompromised: (error: Error) => (compromised = error),
    });
    return async () => {
      if (compromised === undefined) await release().catch(() => {});
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
}

/**
 * Runs `work` while holding the lock file, waiting for another process that holds it.
 * `work` learns whether there was a wait, for then somebody has done something meanwhile.
 * @param options.onWait told once, when the wait begins
 */
export async function withLock<T>(
  file: string,
  { onWait = () => {} }: { onWait?: (() => void) | undefined },
  work: (waited: boolean) => Promise<T>,
): Promise<T> {
  let waited = false;
  let release = await takeLock(file);
  while (release === undefined) {
    if (!waited) onWait();
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    release = await takeLock(file);
  }
  try {
    return await work(waited);
  } finally {
    await release();
  }
}
