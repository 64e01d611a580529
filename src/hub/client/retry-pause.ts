import type { HubSettings } from '../../common/hub-settings.js';

/**
 * How long to wait before the next attempt, in milliseconds: what the Hub asks for, else twice the last
 * pause, a little spread so that parallel files do not return together.
 * @param failed attempts that failed so far, 1 or more
 * @param retryAfter seconds or a date
 * @returns undefined when the Hub asks for more than `longestPauseMs`
 */
export function retryPause(
  { pauseMs, longestPauseMs }: Pick<HubSettings, 'pauseMs' | 'longestPauseMs'>,
  failed: number,
  retryAfter: string | null = null,
): number | undefined {
  const asked = parse(retryAfter);
  if (asked !== undefined) return asked > longestPauseMs ? undefined : asked;
  return Math.min(pauseMs * 2 ** (failed - 1) * (1 + Math.random() / 4), longestPauseMs);
}

function parse(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
