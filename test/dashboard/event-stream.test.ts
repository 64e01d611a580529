import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { EventStream } from '../../src/dashboard/event-stream.js';

const servers: (() => void)[] = [];
afterEach(() => servers.splice(0).forEach((close) => close()));

/** Serves a stream; returns what connects to it. */
async function serve(stream: EventStream) {
  const server = createServer((_request, response) => stream.open(response, 0));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, agent: false }, resolve).on('error', reject).end();
    });
}

it('ten thousand steps: a page that reads gets all, one that does not is cut off, and nobody waits', async () => {
  const stream = new EventStream();
  const connect = await serve(stream);
  const reading = await connect();
  const asleep = await connect();
  asleep.pause();
  const cut = new Promise((resolve) => asleep.on('close', resolve).on('error', () => {}));
  const ids: number[] = [];
  let text = '';
  const all = new Promise<void>((resolve) => {
    reading.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const messages = text.split('\n\n');
      text = messages.pop()!;
      for (const message of messages) {
        const id = /^id: (\d+)$/m.exec(message)?.[1];
        if (id !== undefined) ids.push(Number(id));
      }
      if (ids.length === 10_000) resolve();
    });
  });
  const data = JSON.stringify({ type: 'step', pad: 'x'.repeat(4000) });
  for (let step = 1; step <= 10_000; step++) {
    stream.send(data);
    // As between two steps of a run.
    if (step % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await all;
  expect(ids).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
  asleep.resume();
  await cut;
  expect(asleep.complete).toBe(false);
});

it('one that comes late gets the newest of what was sent, and the state', async () => {
  const stream = new EventStream();
  for (let step = 1; step <= 20_000; step++) stream.send('{}');
  stream.tellState('{"state":"paused"}');
  const connect = await serve(stream);
  const page = await connect();
  let text = '';
  for await (const part of page.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    if (text.includes('paused')) break;
  }
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids.at(-1)).toBe(20_000);
  expect(ids.length).toBeGreaterThanOrEqual(4096);
  expect(ids.length).toBeLessThanOrEqual(8192);
});
