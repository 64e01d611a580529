import { AdaptiveTrainerError } from '../../errors.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { withoutSecrets } from '../../common/without-secrets.js';

/** The error for a Hub that gave no answer at all. `details.status` is undefined, unlike for a refusal. */
export function unreachable(
  settings: HubSettings,
  { type, name }: HubRepo,
  url: string,
  attempts: number,
  cause: unknown,
): AdaptiveTrainerError {
  const reason = withoutSecrets(reasonOf(cause), settings);
  return new AdaptiveTrainerError(
    'HUB_FAILED',
    `Expected an answer from ${url} for the ${type} "${name}" but got none after ${attempts} ` +
      `${attempts === 1 ? 'attempt' : 'attempts'}: ${reason}. Check the network and HF_ENDPOINT; what is in the cache ` +
      `(${settings.cacheDir}) can be used with HF_HUB_OFFLINE=1.`,
    { details: { repo: name, repoType: type, url, attempts, reason } },
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; the cause names the host and the trouble.
  const { cause } = error;
  if (cause instanceof Error) return cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name);
  return error.message;
}
