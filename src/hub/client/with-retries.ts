import { setTimeout as sleep } from 'node:timers/promises';
import { AdaptiveTrainerError } from '../../errors.js';
import { refused, unreachable } from './hub-failures.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { HubRefusal } from './hub-refusal.js';

/** A transfer that broke: worth another attempt. */
export class NetworkTrouble extends Error {
  override readonly name = 'NetworkTrouble';
}

/** What is tried, for whom, and when to stop trying. */
export interface Attempts {
  settings: HubSettings;
  repo: HubRepo;
  /** For messages; no query. */
  url: string;
  signal?: AbortSignal | undefined;
  /** True when the last attempt got so far that the count of failures starts again. Default: never. */
  progressed?: () => boolean;
  /** False for a request that must not be repeated once the Hub may have acted on it. Default true. */
  repeatable?: boolean;
}

const temporary = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Runs `attempt` until it succeeds, fails for good, or the number of attempts is used up.
 * @throws AdaptiveTrainerError HUB_FAILED, with what was asked, what came and what to do; ABORTED
 */
export async function withRetries<T>(
  { settings, repo, url, signal, progressed = () => false, repeatable = true }: Attempts,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failed = 0, total = 1; ; total++) {
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted) {
        throw new AdaptiveTrainerError('ABORTED', `Stopped while asking ${url}.`, { cause: signal.reason });
      }
      if (!(error instanceof HubRefusal) && !isNetworkTrouble(error)) throw error;
      failed = progressed() ? 1 : failed + 1;
      const refusal = error instanceof HubRefusal ? error : undefined;
      // With 429 or 503 nothing was done; without an answer, or with 500, the Hub may have acted.
      const again =
        refusal === undefined
          ? repeatable
          : temporary.has(refusal.status) && (repeatable || isHarmless(refusal));
      const pause =
        again && failed < settings.attempts ? retryPause(settings, failed, refusal?.retryAfter) : undefined;
      if (pause === undefined) {
        throw refusal === undefined
          ? unreachable(settings, repo, url, total, error)
          : refused(settings, repo, { ...refusal.facts, url, attempts: total });
      }
      await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    }
  }
}

/**
 * How long to wait before the next attempt, in milliseconds: what the Hub asks for, else twice the last
 * pause, a little spread so that parallel files do not return together.
 * @param failed attempts that failed so far, 1 or more
 * @param retryAfter seconds or a date
 * @returns undefined when the Hub asks for more than `longestPauseMs`
 */
function retryPause(
  { pauseMs, longestPauseMs }: Pick<HubSettings, 'pauseMs' | 'longestPauseMs'>,
  failed: number,
  retryAfter: string | null = null,
): number | undefined {
  const asked = millisecondsIn(retryAfter);
  if (asked !== undefined) return asked > longestPauseMs ? undefined : asked;
  return Math.min(pauseMs * 2 ** (failed - 1) * (1 + Math.random() / 4), longestPauseMs);
}

function millisecondsIn(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function isHarmless({ status }: HubRefusal): boolean {
  return status === 429 || status === 503;
}

/** Failures of fetch: no connection, a body cut short, or a time limit. */
function isNetworkTrouble(error: unknown): boolean {
  if (error instanceof NetworkTrouble) return true;
  if (error instanceof TypeError) return error.message === 'fetch failed' || error.message === 'terminated';
  return error instanceof Error && ['TimeoutError', 'AbortError'].includes(error.name);
}
