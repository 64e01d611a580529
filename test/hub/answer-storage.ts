import { createHash } from 'node:crypto';
import { refuse, sendContent } from './send.js';
import type { Exchange } from './stand-in-hub.js';
import type { StandInStore } from './stand-in-store.js';

/** What the storage answers to a part, and wants to be told at the end. */
export function partTag(content: Buffer): string {
  return `"${createHash('md5').update(content).digest('hex')}"`;
}

/** The storage of large files: GET and PUT by hash, PUT also in parts. It knows no tokens, and takes none. */
export function answerStorage(store: StandInStore, exchange: Exchange): void {
  const part = /^\/([0-9a-f]{64})\/(\d+)\?/.exec(exchange.url);
  const oid = part?.[1] ?? /^\/([0-9a-f]{64})(\?|$)/.exec(exchange.url)?.[1] ?? '';
  if (exchange.headers.authorization !== undefined) {
    return refuse(exchange, 400, undefined, 'only one auth mechanism allowed');
  }
  if (exchange.method === 'PUT' && part !== null) {
    const parts = store.parts.get(oid) ?? new Map<number, Buffer>();
    store.parts.set(oid, parts.set(Number(part[2]), exchange.body));
    exchange.response.writeHead(200, { etag: partTag(exchange.body) }).end();
    return;
  }
  if (exchange.method === 'PUT') {
    const found = createHash('sha256').update(exchange.body).digest('hex');
    if (found !== oid) return refuse(exchange, 400, undefined, 'the content has another hash');
    store.large.set(oid, exchange.body);
    exchange.response.writeHead(200, { etag: `"${oid.slice(0, 32)}"` }).end();
    return;
  }
  const content = store.large.get(oid);
  if (content === undefined) return refuse(exchange, 404, undefined, 'no such key');
  sendContent(exchange, content, { etag: `"${oid}"` });
}
