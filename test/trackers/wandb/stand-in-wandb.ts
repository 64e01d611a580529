import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** What happens to a request in place of an answer. `lostAnswer`: it is taken, but the connection is cut before the answer. */
export type WandbFault = 'cut' | 'lostAnswer' | 'never' | 429 | 500 | 401;

interface StoredRun {
  config: Record<string, { value: unknown }>;
  displayName: string;
  project: string;
  tags: string[];
  /** Lines by file name; what is sent again for the same numbers takes the same places. */
  streams: Map<string, string[]>;
  /** Lines that were sent again. */
  repeated: number;
  summary: Record<string, unknown>;
  files: Map<string, string>;
  exitCode: number | undefined;
  isComplete: boolean;
}

/** A W&B server as far as runs need it: the official client and `wandb sync` work against it too. */
export class StandInWandb {
  readonly runs = new Map<string, StoredRun>();
  readonly authorizations = new Set<string>();
  requests = 0;
  /** Asked before each request. */
  fault: (request: { url: string; number: number }) => WandbFault | undefined = () => undefined;
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.take(request, response));
  }

  static async start(port = 0): Promise<StandInWandb> {
    const hub = new StandInWandb();
    await new Promise<void>((resolve) => hub.server.listen(port, '127.0.0.1', resolve));
    hub.url = `http://127.0.0.1:${(hub.server.address() as AddressInfo).port}`;
    return hub;
  }

  url = '';

  /** The history of a run, its rows parsed. */
  history(name: string): Record<string, unknown>[] {
    const lines = this.runs.get(name)?.streams.get('wandb-history.jsonl') ?? [];
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const fault = this.fault({ url, number: this.requests++ });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.headers.authorization) this.authorizations.add(request.headers.authorization);
    if (fault === 'cut') return void request.socket.destroy();
    if (fault === 'never') return;
    if (typeof fault === 'number') {
      response.statusCode = fault;
      return void response.end('{"error":"as asked for"}');
    }
    let body = Buffer.concat(chunks);
    if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
    const answer = this.answer(url, body.toString());
    if (fault === 'lostAnswer') return void request.socket.destroy();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  }

  private answer(url: string, body: string): unknown {
    if (url.startsWith('/upload/')) {
      const [, , run, file] = url.split('/').map(decodeURIComponent);
      this.run(run!).files.set(file!, body);
      return {};
    }
    const parsed = JSON.parse(body || '{}') as {
      query?: string;
      variables?: Record<string, unknown>;
    } & StreamBody;
    const stream = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(url);
    if (stream) return this.takeStream(this.run(decodeURIComponent(stream[3]!)), parsed);
    return { data: this.graphql(parsed.query ?? '', parsed.variables ?? {}) };
  }

  private graphql(query: string, variables: Record<string, unknown>): unknown {
    if (/mutation UpsertBucket/.test(query)) return { upsertBucket: this.upsert(variables) };
    if (/query RunResumeStatus/.test(query)) return { model: { bucket: this.resumeStatus(variables) } };
    if (/mutation CreateRunFiles/.test(query)) {
      const run = String(variables['run']);
      const files = (variables['files'] as string[]).map((name) => ({
        name,
        uploadUrl: `${this.url}/upload/${run}/${encodeURIComponent(name)}`,
      }));
      return { createRunFiles: { runID: run, uploadHeaders: [], files } };
    }
    if (/query Viewer/.test(query)) {
      return {
        viewer: { id: 'u', entity: 'team', username: 'u', email: '', flags: '{}', teams: { edges: [] } },
      };
    }
    return {};
  }

  private upsert(variables: Record<string, unknown>) {
    const name = String(variables['name']);
    const isNew = !this.runs.has(name);
    const run = this.run(name);
    if (typeof variables['config'] === 'string')
      run.config = JSON.parse(variables['config']) as StoredRun['config'];
    if (typeof variables['displayName'] === 'string') run.displayName = variables['displayName'];
    if (typeof variables['project'] === 'string') run.project = variables['project'];
    if (Array.isArray(variables['tags'])) run.tags = variables['tags'] as string[];
    const project = { id: 'p', name: run.project, entity: { id: 'e', name: variables['entity'] ?? 'team' } };
    const bucket = {
      id: name,
      name,
      displayName: run.displayName,
      config: '{}',
      project,
      historyLineCount: 0,
    };
    return { bucket, inserted: isNew };
  }

  private resumeStatus(variables: Record<string, unknown>) {
    const name = String(variables['name']);
    const run = this.runs.get(name);
    if (run === undefined) return null;
    const count = (file: string) => run.streams.get(file)?.length ?? 0;
    return {
      id: name,
      name,
      displayName: run.displayName,
      config: JSON.stringify(run.config),
      tags: run.tags,
      historyLineCount: count('wandb-history.jsonl'),
      eventsLineCount: count('wandb-events.jsonl'),
      logLineCount: count('output.log'),
      summaryMetrics: JSON.stringify(run.summary),
      historyTail: JSON.stringify(run.streams.get('wandb-history.jsonl')?.slice(-1) ?? []),
      eventsTail: '[]',
    };
  }

  private takeStream(run: StoredRun, body: StreamBody): unknown {
    for (const [name, { offset, content }] of Object.entries(body.files ?? {})) {
      if (name === 'wandb-summary.json') {
        run.summary = JSON.parse(content.at(-1) ?? '{}') as StoredRun['summary'];
        continue;
      }
      const lines = run.streams.get(name) ?? [];
      run.streams.set(name, lines);
      if (offset > lines.length) throw new Error(`${name}: lines ${lines.length} to ${offset} are missing`);
      run.repeated += Math.min(lines.length - offset, content.length);
      lines.splice(offset, content.length, ...content);
    }
    if (body.complete) run.isComplete = true;
    if (body.exitcode !== undefined) run.exitCode = body.exitcode;
    return {};
  }

  private run(name: string): StoredRun {
    const known = this.runs.get(name);
    if (known) return known;
    const made: StoredRun = {
      config: {},
      displayName: name,
      project: 'p',
      tags: [],
      streams: new Map(),
      repeated: 0,
      summary: {},
      files: new Map(),
      exitCode: undefined,
      isComplete: false,
    };
    this.runs.set(name, made);
    return made;
  }
}

interface StreamBody {
  files?: Record<string, { offset: number; content: string[] }>;
  complete?: boolean;
  exitcode?: number;
}
