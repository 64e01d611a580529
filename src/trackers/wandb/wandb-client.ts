import { randomUUID } from 'node:crypto';

/** A request to W&B that failed. `isFinal`: sending it again would not help. */
export class WandbRequestError extends Error {
  constructor(
    message: string,
    readonly isFinal: boolean,
    /** Milliseconds that the server asks to wait. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** The part of a run that the server decides. */
export interface WandbBucket {
  entity: string;
  project: string;
  name: string;
  displayName: string;
}

/** What the server has of a run that is continued. */
export interface WandbResumePoint {
  historyLines: number;
  eventsLines: number;
  logLines: number;
  /** The last `_step` of the history; -1: none. */
  lastStep: number;
}

export interface FileStreamBody {
  files?: Record<string, { offset: number; content: string[] }>;
  uploaded?: string[];
  complete?: boolean;
  exitcode?: number;
}

/** Where a file is stored; the address holds the permission. */
export interface UploadTarget {
  name: string;
  url: string;
  headers: [string, string][];
}

const requestTimeoutMs = 90_000;

const upsertBucket = `mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String,
  $displayName: String, $notes: String, $commit: String, $config: JSONString, $host: String, $program: String,
  $repo: String, $tags: [String!], $summaryMetrics: JSONString) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, groupName: $groupName,
    displayName: $displayName, notes: $notes, commit: $commit, config: $config, host: $host, jobProgram: $program,
    jobRepo: $repo, tags: $tags, summaryMetrics: $summaryMetrics}) {
    bucket { id name displayName project { name entity { name } } }
    inserted
  }
}`;
const resumeStatus = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) {
      name historyLineCount eventsLineCount logLineCount historyTail
    }
  }
}`;
const createRunFiles = `mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    runID uploadHeaders files { name uploadUrl }
  }
}`;

/** The requests that a run makes of a W&B server: GraphQL for the run itself, `file_stream` for what it logs. */
export class WandbClient {
  private readonly authorization: string;

  constructor(
    private readonly baseUrl: string,
    apiKey: string,
    private readonly fetch: typeof globalThis.fetch = globalThis.fetch,
  ) {
    this.authorization = `Basic ${Buffer.from(`api:${apiKey}`).toString('base64')}`;
  }

  async upsertRun(variables: Record<string, unknown>): Promise<WandbBucket> {
    const data = await this.graphql(upsertBucket, variables);
    const bucket = (data['upsertBucket'] as { bucket?: BucketAnswer } | undefined)?.bucket;
    if (bucket?.project?.entity === undefined)
      throw new WandbRequestError('it answered without a run', false);
    return {
      entity: bucket.project.entity.name,
      project: bucket.project.name,
      name: bucket.name,
      displayName: bucket.displayName ?? bucket.name,
    };
  }

  /** Undefined where the server has no such run. */
  async resumePoint(
    project: string,
    entity: string | undefined,
    name: string,
  ): Promise<WandbResumePoint | undefined> {
    const data = await this.graphql(resumeStatus, { project, entity: entity ?? null, name });
    const bucket = (data['model'] as { bucket?: ResumeAnswer | null } | null | undefined)?.bucket;
    if (bucket == null) return undefined;
    return {
      historyLines: bucket.historyLineCount ?? 0,
      eventsLines: bucket.eventsLineCount ?? 0,
      logLines: bucket.logLineCount ?? 0,
      lastStep: lastStep(bucket.historyTail),
    };
  }

  async fileStream(run: WandbBucket, body: FileStreamBody): Promise<void> {
    const path = [run.entity, run.project, run.name].map(encodeURIComponent).join('/');
    await this.post(`${this.baseUrl}/files/${path}/file_stream`, body);
  }

  /** Asks where files of the run are to be stored, which `putFile` then does. */
  async uploadTargets(run: WandbBucket, names: readonly string[]): Promise<UploadTarget[]> {
    const { entity, project, name } = run;
    const variables = { entity, project, run: name, files: names };
    const answer = (await this.graphql(createRunFiles, variables))['createRunFiles'] as
      UploadAnswer | undefined;
    const headers = (answer?.uploadHeaders ?? []).map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    return (answer?.files ?? []).map((file) => ({ name: file.name, url: file.uploadUrl, headers }));
  }

  async putFile({ url, headers }: UploadTarget, content: string): Promise<void> {
    await this.send(new URL(url, this.baseUrl).href, { method: 'PUT', headers, body: content });
  }

  private async graphql(query: string, variables: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = await this.post(`${this.baseUrl}/graphql`, { query, variables });
    const text = await answer.text();
    let parsed: { data?: Record<string, unknown> | null; errors?: { message?: string }[] };
    try {
      parsed = JSON.parse(text) as typeof parsed;
    } catch {
      throw new WandbRequestError('it answered with something that is not JSON', false);
    }
    if (parsed.errors?.length) {
      const messages = parsed.errors.map(({ message }) => message ?? 'an error without a message');
      throw new WandbRequestError(messages.join('; ').slice(0, 500), true);
    }
    if (parsed.data == null) throw new WandbRequestError('it answered without data', false);
    return parsed.data;
  }

  private post(url: string, body: unknown): Promise<Response> {
    const headers = {
      Authorization: this.authorization,
      'Content-Type': 'application/json',
      'User-Agent': 'adaptive-trainer',
      'X-Request-ID': randomUUID(),
    };
    return this.send(url, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  private async send(url: string, request: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      const signal = AbortSignal.timeout(requestTimeoutMs);
      answer = await this.fetch(url, { ...request, redirect: 'error', signal });
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      throw new WandbRequestError(cause instanceof Error ? cause.message : String(cause), false);
    }
    if (answer.ok) return answer;
    const text = await answer.text().catch(() => '');
    const isFinal =
      answer.status >= 400 && answer.status < 500 && ![408, 409, 425, 429].includes(answer.status);
    const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
    const wait = Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : undefined;
    throw new WandbRequestError(`it answered ${answer.status} ${text.slice(0, 300)}`.trim(), isFinal, wait);
  }
}

interface BucketAnswer {
  name: string;
  displayName?: string | null;
  project?: { name: string; entity?: { name: string } };
}

interface ResumeAnswer {
  historyLineCount?: number | null;
  eventsLineCount?: number | null;
  logLineCount?: number | null;
  historyTail?: string | null;
}

interface UploadAnswer {
  uploadHeaders?: string[] | null;
  files?: { name: string; uploadUrl: string }[];
}

/** historyTail is JSON: a list of the last rows, each JSON once more. */
function lastStep(historyTail: string | null | undefined): number {
  try {
    const rows = JSON.parse(historyTail || '[]') as string[];
    const row = JSON.parse(rows.at(-1) ?? '{}') as { _step?: number };
    return row._step ?? -1;
  } catch {
    return -1;
  }
}
