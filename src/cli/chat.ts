import { createInterface } from 'node:readline';
import { CausalLM } from '../model/causal-lm.js';
import type { ChatMessage } from '../events/chat-message.js';
import { stopAtEndOfTurn } from '../model/generation/stop-at-end-of-turn.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { generationHelp, parseGenerationCommand } from './generation-command.js';
import { streamAnswer } from './stream-answer.js';

const help = `Usage: adaptive-trainer chat <model> [options]

A conversation with a model in its own chat template: a line is a message. /new starts over; an empty input (Ctrl-D) or
/exit ends. <model> is a folder with a model and its tokenizer, relative to the current directory.

Options:
  --system <text>            what the conversation begins with
${generationHelp}`;

/** `adaptive-trainer chat <model>`. Resolves to the exit status. */
export async function runChat(argv: readonly string[]): Promise<number> {
  const command = parseGenerationCommand(argv, ['model'], help);
  if (command.help) {
    console.log(help);
    return 0;
  }
  const dir = command.positionals[0]!;
  const tokenizer = await Tokenizer.fromPretrained(dir);
  // Dropout does nothing outside training.
  const model = await CausalLM.fromPretrained(dir, { dtype: command.dtype, ignoreDropout: true });
  stopAtEndOfTurn(model, tokenizer, (message) => console.error(message));
  const start: ChatMessage[] =
    command.system === undefined ? [] : [{ role: 'system', content: command.system }];
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
        const answer = await streamAnswer(model, tokenizer, ids, command.options, write);
        process.stdout.write('\n');
        messages.push({ role: 'assistant', content: answer });
      }
      lines.prompt();
    }
  } finally {
    lines.close();
    model.dispose();
  }
  return 0;
}
