import { AdaptiveTrainerError } from '../errors.js';
import { hubFetch } from '../hub/client/hub-fetch.js';
import { tokenOnlyReads, tokenRefused } from '../hub/client/hub-failures.js';
import type { HubSettings } from '../common/hub-settings.js';
import { whoAmI } from '../hub/client/who-am-i.js';
import { askHub } from './ask-hub.js';

/**
 * Asks the Hub whether a finished model could be uploaded: whether it takes the token, whether the token may write there,
 * and whether the repository is there or has to be made. Writes nothing.
 *
 * @param repo `owner/name`, or the bare name of a repository of the token's owner
 * @returns what is wrong, in words
 */
export async function checkUpload(
  repo: string,
  isPrivate: boolean,
  settings: HubSettings,
  onNote: (note: string) => void,
): Promise<string | undefined> {
  if (settings.token === undefined) return undefined; // then nothing is uploaded, which is said elsewhere
  if (settings.offline) {
    onNote(`HF_HUB_OFFLINE is set, so ${repo} was not looked for and nothing could be uploaded there`);
    return undefined;
  }
  const { fault, answer } = await askHub(() => lookAt(repo, settings), onNote);
  if (fault !== undefined) return fault;
  if (answer === undefined) return undefined;
  const { name, owners, role, isThere, isItPrivate } = answer;
  const owner = name.split('/')[0]!;
  if (role === 'read') return tokenOnlyReads(settings);
  if (!owners.includes(owner)) {
    return `expected a repository of ${owners.join(' or ')}, whose token it is, received ${JSON.stringify(repo)}`;
  }
  if (!isThere) onNote(`${name} is not on the Hub yet and will be made, ${isPrivate ? 'private' : 'public'}`);
  else
    onNote(`${name} is on the Hub already and ${isItPrivate ? 'private' : 'public'}; the model goes into it`);
  return undefined;
}

async function lookAt(repo: string, settings: HubSettings) {
  const asked = { type: 'model', name: repo } as const;
  const me = await whoAmI(settings, asked).catch((error: unknown) => {
    throw isStatus(error, 401) ? tokenRefused(settings) : error;
  });
  const name = repo.includes('/') ? repo : `${me.name}/${repo}`;
  const { modelInfo } = await import('@huggingface/hub');
  const info = await modelInfo({
    name,
    revision: 'main',
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings, { type: 'model', name }),
  }).catch((error: unknown) => {
    if (isStatus(error, 404)) return undefined;
    throw error;
  });
  const owners = [me.name, ...me.organisations];
  return { name, owners, role: me.role, isThere: info !== undefined, isItPrivate: info?.private === true };
}

function isStatus(error: unknown, status: number): boolean {
  return AdaptiveTrainerError.isInstance(error) && error.details['status'] === status;
}
