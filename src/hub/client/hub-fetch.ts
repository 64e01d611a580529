import type { HubRepo } from './hub-repo.js';
import { hubRequest } from './hub-request.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { withRetries } from './with-retries.js';

const slowestUpload = 50; // bytes per millisecond: a request gets the more time the more it carries

/**
 * A `fetch` for @huggingface/hub, about one repository: adds the token, a time limit and bounded retries, and reads the
 * whole answer, so that a body cut short is retried as well. Not for large downloads.
 * @returns a function that resolves to a successful answer or rejects with AdaptiveTrainerError
 */
export function hubFetch(settings: HubSettings, repo: HubRepo, signal?: AbortSignal): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const plain = url.replace(/\?.*$/, '');
    const limit = Math.ceil(settings.timeoutMs + sizeOf(init.body) / slowestUpload);
    const callers = [signal, init.signal].filter((one): one is AbortSignal => one instanceof AbortSignal);
    const repeatable = !(init.method === 'POST' && /\/commit\/[^/]*$/.test(plain));
    return withRetries(
      { settings, repo, url: plain, signal: AbortSignal.any(callers), repeatable },
      async () => {
        const within = AbortSignal.any([AbortSignal.timeout(limit), ...callers]);
        const response = await hubRequest(settings, url, { ...init, signal: within });
        const body = await response.arrayBuffer();
        const { status, statusText, headers } = response;
        const bodyless = [204, 205, 304].includes(status);
        return new Response(bodyless ? null : body, { status, statusText, headers });
      },
    );
  };
}

function sizeOf(body: unknown): number {
  if (typeof body === 'string') return body.length;
  if (body instanceof Blob) return body.size;
  return ArrayBuffer.isView(body) || body instanceof ArrayBuffer ? body.byteLength : 0;
}
