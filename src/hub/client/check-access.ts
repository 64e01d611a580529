import { AdaptiveTrainerError } from '../../errors.js';
import { hubFetch } from './hub-fetch.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';

/**
 * Asks the Hub whether files of a repository may be fetched: a gated one lists them for everybody.
 * @throws AdaptiveTrainerError HUB_FAILED, naming the page to visit; ABORTED
 */
export async function checkAccess(settings: HubSettings, repo: HubRepo, signal?: AbortSignal): Promise<void> {
  try {
    await hubFetch(settings, repo, signal)(`${settings.endpoint}/api/${repo.type}s/${repo.name}/auth-check`);
  } catch (error) {
    // Not every mirror knows this question; that the repository is there was found out before.
    const status = AdaptiveTrainerError.isInstance(error) ? error.details['status'] : undefined;
    if (status !== 404) throw error;
  }
}
