import { hubFetch } from './hub-fetch.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { isCommit } from './is-commit.js';
import { oddAnswer } from './hub-failures.js';

/** Asks the Hub which commit a branch or tag is at. */
export async function resolveCommit(
  settings: HubSettings,
  repo: HubRepo,
  revision: string,
  signal?: AbortSignal,
): Promise<string> {
  if (isCommit(revision)) return revision;
  const { datasetInfo, modelInfo } = await import('@huggingface/hub');
  const asked = { name: repo.name, revision, hubUrl: settings.endpoint };
  const fetch = hubFetch(settings, repo, signal);
  const { sha } =
    repo.type === 'model'
      ? await modelInfo({ ...asked, additionalFields: ['sha'], fetch })
      : await datasetInfo({ ...asked, additionalFields: ['sha'], fetch });
  if (typeof sha !== 'string' || !isCommit(sha)) throw oddAnswer(settings, repo, 'a commit', sha);
  return sha;
}
