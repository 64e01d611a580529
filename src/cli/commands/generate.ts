import type { Command } from 'commander';
import { command } from '../command.js';
import { openForGeneration, withGenerationOptions, type GenerationOptions } from '../generation-options.js';
import { streamAnswer } from '../stream-answer.js';

export function generateCommand(): Command {
  const made = command(
    'generate',
    'print what a model makes of a text',
    'It comes token by token. The text is continued as it is; for a conversation use chat.',
  )
    .argument('<model>', 'folder with a model and its tokenizer, relative to the current directory')
    .argument('<prompt>', 'the text, in quotes');
  return withGenerationOptions(made).action(generate);
}

async function generate(
  dir: string,
  prompt: string,
  { dtype, bits, ...options }: GenerationOptions,
): Promise<void> {
  const [{ model, tokenizer }, { promptIds }] = await Promise.all([
    openForGeneration(dir, { dtype, bits }),
    import('../../tokenizer/encode/prompt-ids.js'),
  ]);
  try {
    const ids = promptIds(tokenizer, prompt);
    await streamAnswer(model, tokenizer, ids, options, (text) => void process.stdout.write(text));
    process.stdout.write('\n');
  } finally {
    model.dispose();
  }
}
