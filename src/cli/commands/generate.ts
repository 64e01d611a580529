import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import type { CausalLM } from '../../model/causal-lm.js';
import type { GenerateOptions } from '../../model/generation/generate-options.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { chunked } from '../../common/chunked.js';
import { command } from '../command.js';
import { openForGeneration, withGenerationOptions, type GenerationOptions } from '../generation-options.js';
import { streamAnswer } from '../stream-answer.js';

/** Prompts of standard input that are written on side by side. */
const together = 32;

export function generateCommand(): Command {
  const made = command(
    'generate',
    'print what a model makes of a text',
    'It comes token by token. The text is continued as it is; for a conversation use chat.',
  )
    .argument('<model>', 'folder with a model and its tokenizer, relative to the current directory')
    .argument(
      '<prompt>',
      'the text, in quotes; - for prompts from standard input, one a line, which are written on side by side: each becomes a ' +
        'line of JSON with its prompt and text',
    );
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
    if (prompt === '-') {
      const encode = (text: string) => promptIds(tokenizer, text);
      for await (const { text, ids } of eachLine(model, encode, options))
        process.stdout.write(`${JSON.stringify({ prompt: text, text: tokenizer.decode(ids) })}\n`);
      return;
    }
    const ids = promptIds(tokenizer, prompt);
    if (ids.length === 0)
      throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected a text to go on from, found an empty one.');
    await streamAnswer(model, tokenizer, ids, options, (text) => void process.stdout.write(text));
    process.stdout.write('\n');
  } finally {
    model.dispose();
  }
}

/** The lines of standard input that are not blank, with the ids that the model writes after each, in order. */
async function* eachLine(
  model: CausalLM,
  encode: (text: string) => number[],
  options: GenerateOptions,
): AsyncGenerator<{ text: string; ids: number[] }, void, undefined> {
  let done = 0;
  for await (const texts of chunked(filled(createInterface({ input: process.stdin })), together)) {
    const seed = (options.seed ?? 0) + done;
    const written = await model.generateBatch(texts.map(encode), { ...options, seed }).collect();
    for (const [row, text] of texts.entries()) yield { text, ids: written[row]! };
    done += texts.length;
  }
}

async function* filled(lines: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) if (line.trim() !== '') yield line;
}
