import { answerUpload } from './answer-upload.js';
import { refuse, sendContent, sendJson } from './send.js';
import type { Exchange, StandInHub } from './stand-in-hub.js';
import type { StoredFile, StoredRepo } from './stand-in-store.js';

const commitPattern = '[^/?]+';
// refs/convert/parquet and the like come with their slashes encoded or not.
const revision = `(refs/[^/?]+/[^/?]+|${commitPattern})`;
const info = new RegExp(`^/api/(model|dataset)s/([^?]+?)(?:/revision/${revision})?$`);
const tree = new RegExp(`^/api/(model|dataset)s/([^?]+?)/tree/${revision}(?:/([^?]+))?$`);
const pathsInfo = new RegExp(`^/api/(model|dataset)s/([^?]+?)/paths-info/${revision}$`);
const resolve = new RegExp(`^/(datasets/)?([^/?]+(?:/[^/?]+)?)/resolve/${revision}/([^?]+)$`);

/** The Hub itself: information, listings, files; what changes something is answered by answerUpload. */
export function answerHub(hub: StandInHub, exchange: Exchange): void {
  const [path = '', query = ''] = exchange.url.split('?');
  const plain = decodeURIComponent(path);
  const token = /^Bearer (.+)$/.exec(exchange.headers.authorization ?? '')?.[1];
  const known = token !== undefined && hub.tokens.has(token);
  if (token !== undefined && !known) {
    return refuse(exchange, 401, undefined, 'Invalid credentials in Authorization header');
  }
  if (plain === '/api/whoami-v2') {
    return known
      ? sendJson(exchange, { type: 'user', name: 'me', ...hub.account })
      : refuse(exchange, 401, undefined, 'no token');
  }
  if (answerUpload(hub, exchange, plain, known)) return;
  const open = (type: string, name: string) => openRepo(hub, exchange, type, name, known);
  const resolved = resolve.exec(plain);
  if (resolved !== null) {
    const repo = open(resolved[1] === undefined ? 'model' : 'dataset', resolved[2]!);
    return repo && sendFile(hub, exchange, repo, resolved[3]!, resolved[4]!, known);
  }
  const listed = tree.exec(plain);
  if (listed !== null) {
    const repo = open(listed[1]!, listed[2]!);
    return repo && sendTree(hub, exchange, repo, listed[3]!, listed[4] ?? '', new URLSearchParams(query));
  }
  const asked = pathsInfo.exec(plain);
  if (asked !== null) {
    const repo = open(asked[1]!, asked[2]!);
    return repo && sendPathsInfo(hub, exchange, repo, asked[3]!);
  }
  const access = /^\/api\/(model|dataset)s\/(.+)\/auth-check$/.exec(plain);
  if (access !== null) {
    const repo = open(access[1]!, access[2]!);
    if (repo?.gated === true && !known) return refuseGated(exchange, repo);
    return repo && sendJson(exchange, {});
  }
  const about = info.exec(plain);
  if (about !== null) {
    const repo = open(about[1]!, about[2]!);
    return repo && sendInfo(hub, exchange, repo, about[3] ?? 'main');
  }
  refuse(exchange, 404, undefined, `the stand-in knows no ${exchange.method} ${path}`);
}

function openRepo(hub: StandInHub, exchange: Exchange, type: string, name: string, known: boolean) {
  const repo = hub.store.find(type, name);
  if (repo !== undefined && (!repo.private || known)) return repo;
  // The real Hub answers 401 without a token, so as not to tell which private repositories there are.
  if (known) refuse(exchange, 404, 'RepoNotFound', 'Repository not found');
  else refuse(exchange, 401, 'RepoNotFound', 'Invalid username or password.');
  return undefined;
}

function at(hub: StandInHub, exchange: Exchange, repo: StoredRepo, rev: string) {
  const found = hub.store.at(repo, rev);
  if (found === undefined) refuse(exchange, 404, 'RevisionNotFound', `Invalid rev id: ${rev}`);
  return found;
}

function sendInfo(hub: StandInHub, exchange: Exchange, repo: StoredRepo, rev: string): void {
  const found = at(hub, exchange, repo, rev);
  if (found === undefined) return;
  sendJson(exchange, {
    _id: '0123456789abcdef01234567',
    id: repo.name,
    modelId: repo.name,
    author: repo.name.split('/')[0],
    sha: found.commit,
    private: repo.private,
    gated: repo.gated ? 'manual' : false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: [],
    lastModified: '2026-01-01T00:00:00.000Z',
    createdAt: '2026-01-01T00:00:00.000Z',
    siblings: [...found.files.keys()].map((rfilename) => ({ rfilename })),
  });
}

function entryOf(path: string, { oid, content, sha256 }: StoredFile) {
  const lfs = sha256 === undefined ? {} : { lfs: { oid: sha256, size: content.length, pointerSize: 130 } };
  return { type: 'file', oid, size: content.length, path, ...lfs };
}

function sendTree(
  hub: StandInHub,
  exchange: Exchange,
  repo: StoredRepo,
  rev: string,
  folder: string,
  query: URLSearchParams,
): void {
  const found = at(hub, exchange, repo, rev);
  if (found === undefined) return;
  const start = folder === '' ? '' : `${folder}/`;
  const entries = new Map<string, object>();
  for (const [path, file] of found.files) {
    if (!path.startsWith(start)) continue;
    const rest = path.slice(start.length).split('/');
    for (let depth = 1; depth < rest.length; depth++) {
      const dir = start + rest.slice(0, depth).join('/');
      entries.set(dir, { type: 'directory', oid: '0'.repeat(40), size: 0, path: dir });
    }
    entries.set(path, entryOf(path, file));
  }
  const depthOf = (path: string) => path.slice(start.length).split('/').length;
  const all = [...entries]
    .filter(([path]) => ['true', 'True', '1'].includes(query.get('recursive') ?? '') || depthOf(path) === 1)
    .map(([, entry]) => entry);
  if (folder !== '' && all.length === 0)
    return refuse(exchange, 404, 'EntryNotFound', `${folder} does not exist`);
  const from = Number(query.get('cursor') ?? 0);
  const next = from + hub.pageSize;
  query.set('cursor', String(next));
  const address = `${hub.endpoint}${exchange.url.split('?')[0]}?${query.toString()}`;
  const headers = next < all.length ? { link: `<${address}>; rel="next"` } : {};
  sendJson(exchange, all.slice(from, next), 200, headers as Record<string, string>);
}

function sendPathsInfo(hub: StandInHub, exchange: Exchange, repo: StoredRepo, rev: string): void {
  const found = at(hub, exchange, repo, rev);
  if (found === undefined) return;
  const text = exchange.body.toString();
  const isJson = exchange.headers['content-type']?.includes('json') === true;
  const paths = isJson
    ? (JSON.parse(text) as { paths: string[] }).paths
    : new URLSearchParams(text).getAll('paths');
  const entries = paths.flatMap((path): object[] => {
    const file = found.files.get(path);
    if (file !== undefined) return [entryOf(path, file)];
    const isFolder = [...found.files.keys()].some((name) => name.startsWith(`${path}/`));
    return isFolder ? [{ type: 'directory', oid: '0'.repeat(40), size: 0, path }] : [];
  });
  sendJson(exchange, entries);
}

function refuseGated(exchange: Exchange, { type, name }: StoredRepo): void {
  refuse(exchange, 401, 'GatedRepo', `Access to ${type} ${name} is restricted.`);
}

function sendFile(
  hub: StandInHub,
  exchange: Exchange,
  repo: StoredRepo,
  rev: string,
  path: string,
  known: boolean,
): void {
  if (repo.gated && !known) {
    return refuseGated(exchange, repo);
  }
  const found = at(hub, exchange, repo, rev);
  if (found === undefined) return;
  const file = found.files.get(path);
  const headers: Record<string, string> = { 'x-repo-commit': found.commit };
  if (file === undefined) {
    return sendJson(exchange, { error: 'Entry not found' }, 404, {
      ...headers,
      'x-error-code': 'EntryNotFound',
    });
  }
  if (file.sha256 === undefined)
    return sendContent(exchange, file.content, { ...headers, etag: `"${file.oid}"` });
  exchange.response.writeHead(302, {
    ...headers,
    location: `${hub.storage}/${file.sha256}?X-Signature=signed`,
    'x-linked-etag': `"${file.sha256}"`,
    'x-linked-size': String(file.content.length),
  });
  exchange.response.end();
}
