import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorText } from '../common/error-text.js';
import { expectInput } from '../common/expect-input.js';
import { AdaptiveTrainerError } from '../errors.js';
import { refusal } from './check-request.js';
import type { EventStream } from './event-stream.js';

/** Most bytes of a request. */
const mostBytes = 256 * 1024;

/** What the page's buttons do: a name to what answers it, given the JSON that was sent. What it throws is told to the page. */
export type DashboardActions = Readonly<
  Record<string, (body: unknown, signal: AbortSignal) => Promise<object>>
>;

interface Parts {
  /** Port of 127.0.0.1; 0: any that is free. */
  port: number;
  /** Returns the page as HTML. */
  page: (live: { eventsUrl: string; token: string }) => Promise<string>;
  events: EventStream;
  actions: DashboardActions;
}

/** A page, its events and its buttons on a loopback address that carries a token. */
export class DashboardServer {
  private readonly token = randomBytes(24).toString('base64url');
  private readonly server: Server;

  private constructor(private readonly parts: Parts) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else sendJson(response, 500, { error: errorText(error) });
      });
    });
  }

  /** @throws AdaptiveTrainerError IO_FAILED for a port that cannot be listened on; INVALID_INPUT for none */
  static async open(parts: Parts): Promise<DashboardServer> {
    const isPort = Number.isInteger(parts.port) && parts.port >= 0 && parts.port <= 65_535;
    expectInput(isPort, 'port', 'a whole number from 0 to 65535', parts.port);
    const one = new DashboardServer(parts);
    await new Promise<void>((resolve, reject) => {
      one.server.once('error', (cause) => reject(cannotListen(parts.port, cause)));
      one.server.listen(parts.port, '127.0.0.1', resolve);
    });
    // A page that nobody closes does not keep the process.
    one.server.unref();
    return one;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/?token=${this.token}`;
  }

  /** Ends the events and takes no more requests; a page that is open stays as it is. */
  async close(): Promise<void> {
    const { server } = this;
    this.parts.events.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // What is still on its way gets there, unless its reader has stopped reading.
    const late = setTimeout(() => server.closeAllConnections(), 1000);
    await closed;
    clearTimeout(late);
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    setSafeHeaders(response);
    const why = refusal(request, url, this.port, this.token);
    if (why !== undefined) return sendJson(response, 403, { error: why });
    const { events, page, actions } = this.parts;
    if (request.method === 'GET' && url.pathname === '/') {
      const { token } = this;
      const html = await page({ eventsUrl: `/events?token=${token}&after=${events.last}`, token });
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
    } else if (request.method === 'GET' && url.pathname === '/events') {
      // A browser that comes back tells the last one it got.
      const after = Number(request.headers['last-event-id'] ?? url.searchParams.get('after') ?? 0);
      events.open(response, Number.isSafeInteger(after) ? after : 0);
    } else {
      const name = url.pathname.slice(1);
      const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
      if (request.method !== 'POST' || action === undefined)
        return sendJson(response, 404, { error: `There is no ${request.method} ${url.pathname} here.` });
      await act(action, request, response);
    }
  }
}

async function act(
  action: DashboardActions[string],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    sendJson(response, 200, { ok: true, ...(await action(await jsonOf(request), gone.signal)) });
  } catch (error) {
    sendJson(response, 400, { error: errorText(error) });
  }
}

/** undefined for a request without a body. */
async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes) {
      const message = `Expected a request of at most ${mostBytes} bytes, found a longer one.`;
      throw new AdaptiveTrainerError('INVALID_INPUT', message);
    }
    parts.push(part);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (cause) {
    throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected JSON, found something else.', { cause });
  }
}

function setSafeHeaders(response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "frame-ancestors 'none'");
  response.setHeader('cross-origin-resource-policy', 'same-origin');
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function cannotListen(port: number, cause: NodeJS.ErrnoException): AdaptiveTrainerError {
  const isUsed = cause.code === 'EADDRINUSE';
  const why = isUsed ? 'another program listens there' : cause.message;
  const message = `Expected to serve the dashboard on port ${port} of 127.0.0.1, but ${why}. Give another port, or 0 for any that is free.`;
  return new AdaptiveTrainerError('IO_FAILED', message, { cause });
}
