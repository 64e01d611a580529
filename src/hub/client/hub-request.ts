import { AdaptiveTrainerError } from '../../errors.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { HubRefusal } from './hub-refusal.js';

const officialHub = 'https://huggingface.co/';

/**
 * One request, once. The token goes to the Hub itself and to no other host: neither to a storage server the Hub names
 * nor along a redirect.
 * @returns a successful answer, its body not yet read
 * @throws HubRefusal for any other answer; AdaptiveTrainerError INVALID_INPUT for an address that is none
 */
export async function hubRequest(
  settings: HubSettings,
  url: string,
  init: RequestInit & { signal: AbortSignal },
): Promise<Response> {
  if (!URL.canParse(settings.endpoint)) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected HF_ENDPOINT to be an address such as ${officialHub} but it is ${JSON.stringify(settings.endpoint)}.`,
      { details: { endpoint: settings.endpoint } },
    );
  }
  // A mirror may pass on the official Hub's own addresses, such as that of a listing's next page.
  const address = url.startsWith(officialHub) ? `${settings.endpoint}/${url.slice(officialHub.length)}` : url;
  const headers = new Headers(init.headers);
  headers.set('user-agent', 'adaptive-trainer');
  if (settings.token !== undefined && new URL(address).origin === new URL(settings.endpoint).origin) {
    headers.set('authorization', `Bearer ${settings.token}`);
  }
  const response = await settings.fetch(address, { ...init, headers });
  if (!response.ok) throw await HubRefusal.of(response);
  return response;
}
