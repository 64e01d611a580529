import { isPlainObject } from '../../common/is-plain-object.js';
import { hubFetch } from './hub-fetch.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { oddAnswer } from './hub-failures.js';

/** Whose token it is. */
export interface TokenOwner {
  name: string;
  /** Names of the organisations they are a member of. */
  organisations: string[];
  /** `read`, `write` or `fineGrained`; undefined where the Hub does not say. */
  role: string | undefined;
}

/**
 * Asks the Hub whose the token is.
 * @param repo what for, for messages
 * @throws AdaptiveTrainerError HUB_FAILED, also for a token that the Hub does not take; ABORTED
 */
export async function whoAmI(
  settings: HubSettings,
  repo: HubRepo,
  signal?: AbortSignal,
): Promise<TokenOwner> {
  const response = await hubFetch(settings, repo, signal)(`${settings.endpoint}/api/whoami-v2`);
  const answer: unknown = await response.json().catch(() => undefined);
  const { name, orgs, auth } = isPlainObject(answer) ? answer : {};
  if (typeof name !== 'string') throw oddAnswer(settings, repo, 'whose the token is', answer);
  const list: unknown[] = Array.isArray(orgs) ? orgs : [];
  const token = isPlainObject(auth) ? auth['accessToken'] : undefined;
  const role = isPlainObject(token) ? token['role'] : undefined;
  return {
    name,
    organisations: list.flatMap((one) =>
      isPlainObject(one) && typeof one['name'] === 'string' ? [one['name']] : [],
    ),
    role: typeof role === 'string' ? role : undefined,
  };
}
