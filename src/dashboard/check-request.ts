import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * Says why a request is refused; undefined where it is none of a stranger. Pages of other sites reach a loopback address too:
 * by a name that leads there (told by Host), or from their own origin (told by Origin), and neither knows the token.
 * @param port that the server listens on
 */
export function refusal(request: IncomingMessage, url: URL, port: number, token: string): string | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const { host, origin, authorization } = request.headers;
  if (host === undefined || !hosts.includes(host))
    return 'Expected the address that the run printed as Host.';
  if (origin !== undefined && !hosts.some((own) => origin === `http://${own}`))
    return 'Expected a request of the page itself, found one of another origin.';
  const given = authorization?.replace(/^Bearer /, '') ?? url.searchParams.get('token') ?? '';
  // What changes a run is never just a link.
  const isKnown = isSame(given, token) && (request.method === 'GET' || authorization !== undefined);
  return isKnown ? undefined : 'Expected the token of the address that the run printed.';
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
