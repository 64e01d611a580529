import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChatChunk } from './chat-chunks.js';

const inMemory = 1 << 25; // characters

/**
 * Keeps chats until it is known whether they have been tokenized before, which their hash says when all are there.
 * A processing function may have effects or take its time, so it is not run again for that.
 */
export class ChatSpool {
  private readonly hash = createHash('sha256');
  private kept: string[] = [];
  private characters = 0;
  private count = 0;
  private file: { handle: FileHandle; path: string } | undefined;

  async add(chunk: ChatChunk): Promise<void> {
    // Rows that could not be read make no chat, but belong to what is told of the split.
    this.hash.update(JSON.stringify([chunk.text, chunk.bad, chunk.ignored, chunk.remarks]));
    const line = JSON.stringify(chunk);
    this.kept.push(line);
    this.characters += line.length;
    this.count++;
    if (this.characters > inMemory) await this.flush();
  }

  /** Of all chats, not of where they come from. */
  digest(): string {
    return this.hash.digest('hex');
  }

  async *chunks(): AsyncGenerator<ChatChunk> {
    if (this.file !== undefined && this.kept.length > 0) await this.flush();
    const lines = this.file === undefined ? this.kept : createInterface(createReadStream(this.file.path));
    let given = 0;
    for await (const line of lines) {
      yield { ...(JSON.parse(line) as ChatChunk), done: ++given / this.count };
    }
  }

  async close(): Promise<void> {
    this.kept = [];
    if (this.file === undefined) return;
    await this.file.handle.close();
    await rm(this.file.path, { force: true });
  }

  private async flush(): Promise<void> {
    if (this.file === undefined) {
      const path = join(
        tmpdir(),
        `adaptive-trainer-chats-${process.pid}-${Math.random().toString(36).slice(2)}.tmp`,
      );
      this.file = { handle: await open(path, 'wx', 0o600), path };
    }
    for (const line of this.kept) await this.file.handle.writeFile(`${line}\n`);
    [this.kept, this.characters] = [[], 0];
  }
}
