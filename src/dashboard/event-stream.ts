import type { ServerResponse } from 'node:http';

/** Events that are kept for a page that connects late or again. */
const keptEvents = 4096;
/** Bytes that may wait for a page that does not read; beyond, it is cut off, and comes back where it was. */
const mostWaiting = 4 * 1024 * 1024;

interface Message {
  id: number;
  data: string;
}

/** Sends events to any number of pages as Server-Sent Events. Never waits for one of them. */
export class EventStream {
  /** The number of the last event; 0 before the first. */
  last = 0;
  private readonly kept: Message[] = [];
  private readonly pages = new Set<ServerResponse>();
  private state: string | undefined;

  /** @param data JSON on one line */
  send(data: string): void {
    const message = { id: ++this.last, data };
    this.kept.push(message);
    if (this.kept.length > 2 * keptEvents) this.kept.splice(0, keptEvents);
    this.write(textOf(message));
  }

  /** Tells what the run does, of which only the newest counts. */
  tellState(data: string): void {
    if (data === this.state) return;
    this.state = data;
    this.write(stateText(data));
  }

  /** Answers a page that asks for what came after event `after`. */
  open(response: ServerResponse, after: number): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 1000\n\n');
    for (const message of this.kept) if (message.id > after) response.write(textOf(message));
    if (this.state !== undefined) response.write(stateText(this.state));
    this.pages.add(response);
    response.on('close', () => this.pages.delete(response));
    response.on('error', () => this.pages.delete(response));
  }

  close(): void {
    for (const page of this.pages) page.end();
  }

  private write(text: string): void {
    for (const page of this.pages) {
      page.write(text);
      if (page.writableLength > mostWaiting) page.destroy();
    }
  }
}

function textOf({ id, data }: Message): string {
  return `id: ${id}\ndata: ${data}\n\n`;
}

function stateText(data: string): string {
  return `event: state\ndata: ${data}\n\n`;
}
