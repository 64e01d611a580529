import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { answerHub } from './answer-hub.js';
import { answerStorage } from './answer-storage.js';
import { StandInStore } from './stand-in-store.js';

/** What goes wrong with a request. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  | { kind: 'hang' } // no answer at all
  | { kind: 'stall'; after: number } // the body stops coming
  | { kind: 'cut'; after: number } // the connection closes in the body
  | { kind: 'damage' } // one byte of the body is another
  | { kind: 'body'; body: string }; // another body than the right one

/** A request as it came. */
export interface SeenRequest {
  host: 'hub' | 'storage';
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

interface PlannedFault {
  url: RegExp;
  method: string | undefined;
  fault: Fault;
  times: number;
}

/** A fault in an answer's body is put in here by the answering side. */
export interface Exchange extends SeenRequest {
  response: ServerResponse;
  fault: Fault | undefined;
}

/**
 * Speaks enough of the Hub's protocol for downloads and uploads by @huggingface/hub and by Python's huggingface_hub.
 * Large files lie on a second server, as with the real Hub, so that a token sent to the wrong one is seen.
 */
export class StandInHub {
  readonly store = new StandInStore();
  readonly requests: SeenRequest[] = [];
  /** Tokens that may write and open private and gated repositories. */
  readonly tokens = new Set<string>();
  /** Larger files are uploaded in parts of so many bytes, as the real Hub asks for from some gigabytes on. */
  partSize = Infinity;
  /** What else whoami tells of the owner of these tokens. */
  account: Record<string, unknown> = {};
  /** How many files a page of a listing has. */
  pageSize = 1000;
  private readonly faults: PlannedFault[] = [];

  private constructor(
    private readonly hubServer: Server,
    private readonly storageServer: Server,
  ) {}

  static async start(): Promise<StandInHub> {
    const servers = [createServer(), createServer()] as const;
    const hub = new StandInHub(...servers);
    const hosts = ['hub', 'storage'] as const;
    for (const [index, server] of servers.entries()) {
      server.on('request', (request, response) => void hub.take(hosts[index]!, request, response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return hub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${portOf(this.hubServer)}`;
  }

  get storage(): string {
    // Another name, for Python's client takes two ports of one host for the same server.
    return `http://localhost:${portOf(this.storageServer)}`;
  }

  /** Lets the next `times` requests to a matching address (path and query) fail. */
  fail(url: RegExp, fault: Fault, times = 1, method?: string): void {
    this.faults.push({ url, method, fault, times });
  }

  /** Forgets what was planned and seen. */
  clear(): void {
    this.faults.length = 0;
    this.requests.length = 0;
  }

  async stop(): Promise<void> {
    for (const server of [this.hubServer, this.storageServer]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private async take(
    host: SeenRequest['host'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      const { method = 'GET', url = '/', headers } = request;
      const seen: SeenRequest = { host, method, url, headers, body: await buffer(request) };
      this.requests.push(seen);
      const fault = this.nextFault(seen);
      if (fault?.kind === 'hang') return;
      if (fault?.kind === 'status') {
        response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
        response.end(fault.body ?? JSON.stringify({ error: `planned ${fault.status}` }));
        return;
      }
      const exchange = { ...seen, response, fault };
      if (host === 'hub') answerHub(this, exchange);
      else answerStorage(this.store, exchange);
    } catch (error) {
      // A fault of the stand-in itself must not look like one of the Hub.
      response.writeHead(418, { 'content-type': 'text/plain' }).end(String((error as Error).stack));
    }
  }

  private nextFault({ method, url }: SeenRequest): Fault | undefined {
    const found = this.faults.find(
      (fault) => fault.times > 0 && fault.url.test(url) && (fault.method ?? method) === method,
    );
    if (found !== undefined) found.times--;
    return found?.fault;
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
