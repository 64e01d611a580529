import { createHash } from 'node:crypto';
import { partTag } from './answer-storage.js';
import { refuse, sendJson } from './send.js';
import type { Exchange, StandInHub } from './stand-in-hub.js';
import { isLarge, type StoredFile, type StoredRepo } from './stand-in-store.js';

interface CommitLine {
  key: string;
  value: { summary?: string; path: string; content: string; encoding: string; oid: string; size: number };
}

/** Answers what creates or changes something. Returns false for any other request. */
export function answerUpload(hub: StandInHub, exchange: Exchange, path: string, known: boolean): boolean {
  if (exchange.method !== 'POST' || path.includes('/paths-info/')) return false;
  if (path === '/api/validate-yaml') {
    sendJson(exchange, { errors: [], warnings: [] });
    return true;
  }
  // Its address is signed: that stands in for a token, which Python's client does not send here.
  if (path === '/api/complete_multipart') {
    complete(hub, exchange);
    return true;
  }
  const act = routes(hub, exchange, path);
  if (act === undefined) return false;
  if (known) act();
  else refuse(exchange, 401, undefined, 'Invalid username or password.');
  return true;
}

function routes(hub: StandInHub, exchange: Exchange, path: string): (() => void) | undefined {
  if (path === '/api/repos/create') return () => createRepo(hub, exchange);
  const api = /^\/api\/(model|dataset)s\/(.+)\/(preupload|commit)\/([^/]+)$/.exec(path);
  const lfs = /^\/(datasets\/)?(.+)\.git\/info\/lfs\/objects\/(batch|verify)$/.exec(path);
  if (api === null && lfs === null) return undefined;
  const type = api?.[1] ?? (lfs?.[1] === undefined ? 'model' : 'dataset');
  const name = (api ?? lfs)![2]!;
  const repo = hub.store.find(type, name);
  if (repo === undefined) return () => refuse(exchange, 404, 'RepoNotFound', 'Repository not found');
  if (api?.[3] === 'preupload') return () => preupload(hub, exchange, repo, api[4]!);
  if (api?.[3] === 'commit') return () => commit(hub, exchange, repo, api[4]!);
  return lfs?.[3] === 'batch' ? () => batch(hub, exchange, repo) : () => verify(hub, exchange);
}

function createRepo(hub: StandInHub, exchange: Exchange): void {
  const asked = JSON.parse(exchange.body.toString()) as Record<string, unknown>;
  const name = `${asked['organization'] ?? 'me'}/${String(asked['name'])}`;
  const type = asked['type'] === 'dataset' ? 'dataset' : 'model';
  const url = `${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
  if (hub.store.find(type, name) !== undefined) {
    return sendJson(exchange, { error: 'You already created this model repo', url }, 409);
  }
  hub.store.create(type, name, {
    private: asked['private'] === true || asked['visibility'] === 'private',
  });
  sendJson(exchange, { url, id: '0123456789abcdef01234567', name });
}

function preupload(hub: StandInHub, exchange: Exchange, repo: StoredRepo, branch: string): void {
  const { files } = JSON.parse(exchange.body.toString()) as { files: { path: string }[] };
  const there = hub.store.at(repo, branch)?.files;
  const answer = files.map(({ path }) => ({
    path,
    uploadMode: isLarge(path) ? 'lfs' : 'regular',
    shouldIgnore: false,
    oid: there?.get(path)?.oid ?? null,
  }));
  sendJson(exchange, { files: answer });
}

function batch(hub: StandInHub, exchange: Exchange, repo: StoredRepo): void {
  const asked = JSON.parse(exchange.body.toString()) as {
    objects: { oid: string; size: number }[];
    transfers?: string[];
  };
  const prefix = repo.type === 'dataset' ? 'datasets/' : '';
  const verify = `${hub.endpoint}/${prefix}${repo.name}.git/info/lfs/objects/verify`;
  const inParts = asked.transfers?.includes('multipart') === true;
  const objects = asked.objects.map(({ oid, size }) => {
    if (hub.store.large.has(oid)) return { oid, size };
    const whole = { href: `${hub.storage}/${oid}?X-Signature=signed`, header: {} };
    const upload = inParts && size > hub.partSize ? partsOf(hub, oid, size) : whole;
    return { oid, size, authenticated: true, actions: { upload, verify: { href: verify, header: {} } } };
  });
  sendJson(exchange, { transfer: inParts ? 'multipart' : 'basic', objects });
}

/** Where the parts go, and where to say that all are there. */
function partsOf(hub: StandInHub, oid: string, size: number) {
  const numbers = Array.from({ length: Math.ceil(size / hub.partSize) }, (_, index) => index + 1);
  const addresses = numbers.map((part) => [
    String(part).padStart(5, '0'),
    `${hub.storage}/${oid}/${part}?X-Signature=signed`,
  ]);
  return {
    href: `${hub.endpoint}/api/complete_multipart?uploadId=${oid.slice(0, 8)}`,
    header: {
      chunk_size: String(hub.partSize),
      ...(Object.fromEntries(addresses) as Record<string, string>),
    },
  };
}

function complete(hub: StandInHub, exchange: Exchange): void {
  const { oid, parts } = JSON.parse(exchange.body.toString()) as {
    oid: string;
    parts: { partNumber: number; etag: string }[];
  };
  const stored = hub.store.parts.get(oid);
  const contents = parts.map(({ partNumber, etag }) => {
    const content = stored?.get(partNumber);
    return content !== undefined && etag === partTag(content) ? content : undefined;
  });
  const whole = contents.every((one) => one !== undefined) ? Buffer.concat(contents) : undefined;
  const isSigned = exchange.url.endsWith(`?uploadId=${oid.slice(0, 8)}`);
  if (!isSigned) return refuse(exchange, 403, undefined, 'the address is not signed');
  if (whole === undefined || createHash('sha256').update(whole).digest('hex') !== oid) {
    return refuse(exchange, 400, undefined, 'the parts do not make the file');
  }
  hub.store.large.set(oid, whole);
  hub.store.parts.delete(oid);
  sendJson(exchange, { success: true });
}

function verify(hub: StandInHub, exchange: Exchange): void {
  const { oid, size } = JSON.parse(exchange.body.toString()) as { oid: string; size: number };
  const there = hub.store.large.get(oid)?.length === size;
  if (there) sendJson(exchange, { message: 'ok' });
  else refuse(exchange, 404, undefined, 'the object is not in the storage');
}

function commit(hub: StandInHub, exchange: Exchange, repo: StoredRepo, branch: string): void {
  const lines = exchange.body.toString().split('\n').filter(Boolean);
  const files = new Map(hub.store.at(repo, branch)?.files ?? []);
  let title = '';
  for (const { key, value } of lines.map((line) => JSON.parse(line) as CommitLine)) {
    if (key === 'header') title = value.summary ?? '';
    else if (key === 'deletedFile') files.delete(value.path);
    else {
      const file = key === 'lfsFile' ? largeOf(hub, value.oid) : regularOf(hub, value);
      if (file === undefined) return refuse(exchange, 400, undefined, `${value.path} was not uploaded`);
      files.set(value.path, file);
    }
  }
  const oid = hub.store.commit(repo, branch, title, files);
  const url = `${hub.endpoint}/${repo.name}/commit/${oid}`;
  sendJson(exchange, { success: true, commitOid: oid, commitUrl: url, hookOutput: '' });
}

function largeOf(hub: StandInHub, oid: string): StoredFile | undefined {
  const content = hub.store.large.get(oid);
  return content === undefined ? undefined : hub.store.largeFile(content);
}

function regularOf(hub: StandInHub, { content, encoding }: CommitLine['value']): StoredFile {
  return hub.store.regularFile(Buffer.from(content, encoding as BufferEncoding));
}
