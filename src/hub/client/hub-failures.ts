// Every HUB_FAILED: what was expected of the Hub, what came, and what to do.
import { AdaptiveTrainerError } from '../../errors.js';
import { errorText } from '../../common/error-text.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { withoutSecrets } from '../../common/without-secrets.js';
import { repoPage, type HubRepo } from './hub-repo.js';

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

/** Returns true if an error says that the Hub as a whole is out of reach; a refusal (401, 404) does not. */
export function isDown(error: unknown): boolean {
  if (!AdaptiveTrainerError.isInstance(error, 'HUB_FAILED')) return false;
  const { status, attempts } = error.details;
  return attempts !== undefined && (status === undefined || status >= 500);
}

/** The error for a request that the Hub refused for good. */
export function refused(settings: HubSettings, repo: HubRepo, refusal: Refusal): AdaptiveTrainerError {
  const { status, errorCode, url, attempts } = refusal;
  const page = repoPage(settings, repo);
  const said = withoutSecrets(refusal.message, settings).slice(0, 300);
  const words = `${explain(settings, repo, refusal, page)}${said === '' ? '' : ` (The Hub said: ${said})`}`;
  return new AdaptiveTrainerError('HUB_FAILED', words, {
    details: { repo: repo.name, repoType: repo.type, page, status, errorCode, url, attempts },
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
  if (errorCode === 'GatedRepo') {
    return `Expected access to ${which} but it is gated, and ${token} (HTTP ${status}). Visit ${page} to accept its terms, then ${makeToken(settings)}.`;
  }
  if (errorCode === 'RevisionNotFound') {
    return `Expected ${which} to have that revision but the Hub knows none (HTTP ${status}, ${url}). Its branches and tags are listed at ${page}.`;
  }
  if (errorCode === 'EntryNotFound') {
    return `Expected the file ${url} but the Hub has none (HTTP ${status}). The files are listed at ${page}.`;
  }
  if (status === 401 || errorCode === 'RepoNotFound' || status === 404) {
    return `Expected ${which} on the Hub but it is missing or private, and ${token} (HTTP ${status}). Check the name at ${page}; where it is private or gated, ${makeToken(settings)}.`;
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

function makeToken({ endpoint }: HubSettings): string {
  return `make a token at ${endpoint}/settings/tokens and set HF_TOKEN to it (or run "hf auth login")`;
}

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
  // fetch says only "fetch failed"; its cause names the host and the reason.
  const { cause } = error;
  if (cause instanceof Error) return cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name);
  return error.message;
}

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

/** The error for a file whose content is not what the Hub lists, also on the second attempt. */
export function wrongHash(
  settings: HubSettings,
  repo: HubRepo,
  file: { path: string; hash: string },
  found: string,
): AdaptiveTrainerError {
  const kind = file.hash.length === 64 ? 'SHA-256' : 'git hash';
  return new AdaptiveTrainerError(
    'HUB_FAILED',
    `Expected ${file.path} of the ${repo.type} "${repo.name}" to have the ${kind} ${file.hash} but what came twice has ` +
      `${found}; it was thrown away. Something between here and ${settings.endpoint} changes files: check proxies and ` +
      `HF_ENDPOINT.`,
    { details: { repo: repo.name, path: file.path, expected: file.hash, found } },
  );
}

/** The error for a repository, or for the `missing` files of one, that is not in the cache while the Hub is not asked. */
export function notCached(
  settings: HubSettings,
  repo: HubRepo,
  revision: string,
  root: string,
  missing: readonly string[] = [],
): AdaptiveTrainerError {
  const what =
    missing.length === 0
      ? `"${repo.name}" at "${revision}"`
      : `${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''} of "${repo.name}"`;
  return new AdaptiveTrainerError(
    'HUB_FAILED',
    `Expected the ${repo.type} ${what} in the cache but it is not in ${root}. ` +
      (settings.offline
        ? 'HF_HUB_OFFLINE is set: run it once without, or set HF_HUB_CACHE to the cache that has it.'
        : 'Run it again when the Hub can be reached.'),
    { details: { repo: repo.name, repoType: repo.type, revision, path: root, missing } },
  );
}

/** The error for an upload to `repo` that cannot begin; undefined where it can. */
export function cannotUpload(settings: HubSettings, repo: string): AdaptiveTrainerError | undefined {
  const lacking =
    settings.token === undefined
      ? `a token that may write, but there is none: ${makeToken(settings)}`
      : settings.offline
        ? 'to reach the Hub, but HF_HUB_OFFLINE is set: unset it'
        : undefined;
  if (lacking === undefined) return undefined;
  return new AdaptiveTrainerError('HUB_FAILED', `Uploading to "${repo}": expected ${lacking}.`, {
    details: { repo },
  });
}

/** The error for an upload that began and did not complete. */
export function uploadBroke(
  settings: HubSettings,
  repo: HubRepo,
  cause: unknown,
  signal?: AbortSignal,
): AdaptiveTrainerError {
  const reason = withoutSecrets(errorText(cause), settings);
  return new AdaptiveTrainerError(
    signal?.aborted ? 'ABORTED' : 'HUB_FAILED',
    `Expected to upload to ${repoPage(settings, repo)} but it broke off: ${reason}.`,
    { details: { repo: repo.name, reason } },
  );
}

/** The fault of a configuration whose upload would fail: the Hub does not take the token. */
export function tokenRefused(settings: HubSettings): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'HUB_FAILED',
    `expected a token that the Hub takes, received one that it refuses (HTTP 401); ${makeToken(settings)}`,
    { details: { status: 401, attempts: 1 } },
  );
}

/** The fault of a configuration whose upload would fail: the token may only read. */
export function tokenOnlyReads(settings: HubSettings): string {
  return `expected a token that may write, received one that may only read; ${makeToken(settings)}`;
}
