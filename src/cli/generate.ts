import { CausalLM } from '../model/causal-lm.js';
import { stopAtEndOfTurn } from '../model/generation/stop-at-end-of-turn.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { generationHelp, parseGenerationCommand } from './generation-command.js';
import { streamAnswer } from './stream-answer.js';

const help = `Usage: adaptive-trainer generate <model> "<prompt>" [options]

Prints what a model makes of a text, token by token. <model> is a folder with a model and its tokenizer, relative to the
current directory. The text is continued as it is; for a conversation use chat.

Options:
${generationHelp}`;

/** `adaptive-trainer generate <model> "<prompt>"`. Resolves to the exit status. */
export async function runGenerate(argv: readonly string[]): Promise<number> {
  const command = parseGenerationCommand(argv, ['model', 'prompt'], help);
  if (command.help) {
    console.log(help);
    return 0;
  }
  const [dir, prompt] = command.positionals as [string, string];
  const tokenizer = await Tokenizer.fromPretrained(dir);
  // Dropout does nothing outside training.
  const model = await CausalLM.fromPretrained(dir, { dtype: command.dtype, ignoreDropout: true });
  stopAtEndOfTurn(model, tokenizer, (message) => console.error(message));
  try {
    const ids = tokenizer.encode(prompt, { addSpecialTokens: true });
    await streamAnswer(model, tokenizer, ids, command.options, (text) => void process.stdout.write(text));
    process.stdout.write('\n');
  } finally {
    model.dispose();
  }
  return 0;
}
