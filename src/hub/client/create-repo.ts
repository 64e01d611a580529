import { AdaptiveTrainerError } from '../../errors.js';
import { hubFetch } from './hub-fetch.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { resolveCommit } from './resolve-commit.js';

/** Makes a repository on the Hub, unless it is there; one that is there stays as public or private as it is. */
export async function createRepo(
  settings: HubSettings,
  repo: HubRepo,
  isPrivate: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const [organization, name] = repo.name.split('/');
  const body = JSON.stringify({ type: repo.type, organization, name, private: isPrivate });
  const headers = { 'content-type': 'application/json' };
  try {
    const create = `${settings.endpoint}/api/repos/create`;
    await hubFetch(settings, repo, signal)(create, { method: 'POST', headers, body });
  } catch (error) {
    const status = AdaptiveTrainerError.isInstance(error) ? error.details['status'] : undefined;
    if (status === 409) return; // it is there
    if (status !== 403) throw error;
    // A token that may write to one repository but make none is enough if that one is there.
    await resolveCommit(settings, repo, 'main', signal).catch(() => Promise.reject(error));
  }
}
