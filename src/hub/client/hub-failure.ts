import { AdaptiveTrainerError } from '../../errors.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { repoPage } from './repo-page.js';
import { withoutSecrets } from '../../common/without-secrets.js';

/** What is known of a refusal by the Hub. */
export interface Refusal {
  status: number;
  /** The Hub's `X-Error-Code`: `GatedRepo`, `RepoNotFound`, `RevisionNotFound`, `EntryNotFound`. */
  errorCode: string | null;
  /** What the Hub said. */
  message: string;
  /** What was asked, without a query. */
  url: string;
  attempts: number;
}

/** The error for a request that the Hub refused for good. */
export function hubFailure(settings: HubSettings, repo: HubRepo, refusal: Refusal): AdaptiveTrainerError {
  const { status, errorCode, url, attempts } = refusal;
  const page = repoPage(settings, repo);
  const said = withoutSecrets(refusal.message, settings).slice(0, 300);
  const words = `${explain(settings, repo, refusal, page)}${said === '' ? '' : ` (The Hub said: ${said})`}`;
  return new AdaptiveTrainerError('HUB_FAILED', words, {
    details: { ...{ repo: repo.name, repoType: repo.type, page, status, errorCode, url, attempts } },
  });
}

function explain(
  settings: HubSettings,
  { type, name }: HubRepo,
  { status, errorCode, url, attempts }: Refusal,
  page: string,
): string {
  const which = `the ${type} "${name}"`;
  const token =
    settings.token === undefined ? 'no token was sent' : 'the token that was sent does not open it';
  const getToken = `make a token at ${settings.endpoint}/settings/tokens and set HF_TOKEN to it (or run "hf auth login")`;
  if (errorCode === 'GatedRepo') {
    return `Expected access to ${which} but it is gated, and ${token} (HTTP ${status}). Visit ${page} to accept its terms, then ${getToken}.`;
  }
  if (errorCode === 'RevisionNotFound') {
    return `Expected ${which} to have that revision but the Hub knows none (HTTP ${status}, ${url}). Its branches and tags are listed at ${page}.`;
  }
  if (errorCode === 'EntryNotFound') {
    return `Expected the file ${url} but the Hub has none (HTTP ${status}). The files are listed at ${page}.`;
  }
  if (status === 401 || errorCode === 'RepoNotFound' || status === 404) {
    return `Expected ${which} on the Hub but it is missing or private, and ${token} (HTTP ${status}). Check the name at ${page}; where it is private or gated, ${getToken}.`;
  }
  if (status === 403) {
    return `Expected access to ${which} but it was refused (HTTP 403), and ${token}. Visit ${page} to see what it asks for, and check the token's permissions at ${settings.endpoint}/settings/tokens.`;
  }
  const times = attempts === 1 ? 'once' : `${attempts} times`;
  if (status === 429) {
    return `Expected ${url} but the Hub answered "too many requests" (HTTP 429), asked ${times}. Wait some minutes and run it again; what was fetched is kept.`;
  }
  return `Expected ${url} but the Hub answered HTTP ${status}, asked ${times}. Run it again later; what was fetched is kept.`;
}
