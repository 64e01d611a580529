import type { Exchange } from './stand-in-hub.js';

/** Answers with JSON. */
export function sendJson(
  { response, method, fault }: Exchange,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  const body = fault?.kind === 'body' ? fault.body : JSON.stringify(value);
  const length = fault?.kind === 'cut' ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  response.writeHead(status, { 'content-type': 'application/json', ...length, ...headers });
  if (fault?.kind === 'cut') {
    response.write(body.slice(0, fault.after), () => response.socket?.resetAndDestroy());
    return;
  }
  response.end(method === 'HEAD' ? undefined : body);
}

/** Refuses as the Hub does. */
export function refuse(exchange: Exchange, status: number, code: string | undefined, message: string): void {
  const headers: Record<string, string> = code === undefined ? {} : { 'x-error-code': code };
  sendJson(exchange, { error: message }, status, { ...headers, 'x-error-message': message });
}

/** Sends a file, or the part of it that is asked for. */
export function sendContent(
  { method, headers, response, fault }: Exchange,
  content: Buffer,
  more: Record<string, string>,
): void {
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const from = range === null ? 0 : Number(range[1]);
  if (range !== null && from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const until = range?.[2] ? Number(range[2]) + 1 : content.length;
  let part = content.subarray(from, until);
  if (fault?.kind === 'damage') {
    part = Buffer.from(part);
    part[0] = part[0]! ^ 1;
  }
  response.writeHead(range === null ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    ...(range === null
      ? {}
      : { 'content-range': `bytes ${from}-${from + part.length - 1}/${content.length}` }),
    'content-length': String(part.length),
    ...more,
  });
  if (method === 'HEAD') return void response.end();
  if (fault?.kind === 'cut') {
    response.write(part.subarray(0, fault.after), () => setTimeout(() => response.destroy(), 20));
  } else if (fault?.kind === 'stall') response.write(part.subarray(0, fault.after));
  else response.end(part);
}
