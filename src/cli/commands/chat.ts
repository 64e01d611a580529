import { createInterface } from 'node:readline';
import type { Command } from 'commander';
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
    'A conversation in its own chat template: a line is a message. /new starts over; an empty input (Ctrl-D) or /exit ends.',
  )
    .argument('<model>', 'folder with a model and its tokenizer, relative to the current directory')
    .option('--system <text>', 'what the conversation begins with');
  return withGenerationOptions(made).action(chat);
}

async function chat(dir: string, { dtype, bits, system, ...options }: ChatOptions): Promise<void> {
  const { model, tokenizer } = await openForGeneration(dir, { dtype, bits });
  const start: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  let messages = [...start];
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  try {
    lines.prompt();
    for await (const line of lines) {
      if (line === '/exit') break;
      if (line === '/new') messages = [...start];
      else if (line.trim() !== '') {
        messages.push({ role: 'user', content: line });
        const ids = tokenizer.encode(tokenizer.renderChat(messages, { addGenerationPrompt: true }));
        const write = (text: string) => void process.stdout.write(text);
        const answer = await streamAnswer(model, tokenizer, ids, options, write);
        process.stdout.write('\n');
        messages.push({ role: 'assistant', content: answer });
      }
      lines.prompt();
    }
  } finally {
    lines.close();
    model.dispose();
  }
}
