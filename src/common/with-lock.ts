import lockfile from 'proper-lockfile';
import type { OnSetupProgress } from './setup-progress.js';

// The holder refreshes its lock every few seconds; one that has not for this long is dead.
const staleMs = 30_000;
const pollMs = 500;

/**
 * Runs `work` while holding the lock file, waiting for another process that holds it.
 * `work` learns whether there was a wait, for then somebody has done something meanwhile.
 */
export async function withLock<T>(
  file: string,
  onProgress: OnSetupProgress,
  work: (waited: boolean) => Promise<T>,
): Promise<T> {
  let compromised: Error | undefined;
  const options = {
    lockfilePath: file,
    realpath: false,
    stale: staleMs,
    // Without a handler this would end the process from a timer.
    onCompromised: (error: Error) => (compromised = error),
  };
  let waited = false;
  let release: () => Promise<void>;
  for (;;) {
    try {
      release = await lockfile.lock(file, options);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      if (!waited)
        onProgress({ phase: 'wait', message: `Another process is fetching libtorch; waiting (${file}).` });
      waited = true;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
  try {
    return await work(waited);
  } finally {
    if (compromised === undefined) await release().catch(() => {});
  }
}
