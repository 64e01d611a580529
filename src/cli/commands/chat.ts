import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { command } from '../command.js';
import { openForGeneration, withGenerationOptions, type GenerationOptions } from '../generation-options.js';
import { streamAnswer } from '../stream-answer.js';

interface ChatOptions extends GenerationOptions {
  system?: string;
}

export function chatCommand(): Command {
  const made = command(
    'chat',
    'talk with a model',
    'A conversation in its own chat template: a line is a message. /new starts over; Ctrl-C ends an answer; an empty input (Ctrl-D) or /exit ends.',
  )
    .argument('<model>', 'folder with a model and its tokenizer, relative to the current directory')
    .option('--system <text>', 'what the conversation begins with');
  return withGenerationOptions(made).action(chat);
}

async function chat(dir: string, { dtype, bits, system, ...options }: ChatOptions): Promise<void> {
  const [{ model, tokenizer }, { promptIds }] = await Promise.all([
    openForGeneration(dir, { dtype, bits }),
    import('../../tokenizer/encode/prompt-ids.js'),
  ]);
  const start: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  let messages = [...start];
  let answering: AbortController | undefined;
  const prompt = process.stdin.isTTY === true ? '> ' : '';
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt });
  // Ctrl-C ends an answer, or where none comes, the conversation.
  lines.on('SIGINT', () => (answering === undefined ? lines.close() : answering.abort()));
  try {
    lines.prompt();
    for await (const line of lines) {
      if (line === '/exit') break;
      if (line === '/new') messages = [...start];
      else if (line.trim() !== '') {
        const asked = [...messages, { role: 'user', content: line }];
        const ids = promptIds(tokenizer, asked);
        const write = (text: string) => void process.stdout.write(text);
        const { signal } = (answering = new AbortController());
        const answered = streamAnswer(model, tokenizer, ids, { ...options, signal }, write);
        const answer = await answered.catch(unlessAborted);
        answering = undefined;
        process.stdout.write('\n');
        if (answer !== undefined) messages = [...asked, { role: 'assistant', content: answer }];
      }
      lines.prompt();
    }
  } finally {
    lines.close();
    model.dispose();
  }
}

function unlessAborted(error: unknown): undefined {
  if (!AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
}
