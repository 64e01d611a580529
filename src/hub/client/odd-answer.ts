import { AdaptiveTrainerError } from '../../errors.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { repoPage } from './repo-page.js';

/** The error for an answer that came but cannot be right. */
export function oddAnswer(
  settings: HubSettings,
  repo: HubRepo,
  expected: string,
  found: unknown,
): AdaptiveTrainerError {
  const shown = JSON.stringify(found)?.slice(0, 200) ?? 'nothing';
  return new AdaptiveTrainerError(
    'HUB_FAILED',
    `Expected ${expected} from the Hub for the ${repo.type} "${repo.name}" but received ${shown}. Nothing of it was ` +
      `written. Look at ${repoPage(settings, repo)}, and check HF_ENDPOINT if it is set.`,
    { details: { repo: repo.name, repoType: repo.type, expected, found: shown } },
  );
}
