import type { Command } from 'commander';
import type { CausalLM } from '../model/causal-lm.js';
import type { GenerateOptions } from '../model/generation/generate-options.js';
import type { QuantizationType } from '../model/quantization/quantization.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { choiceOption, numberOption } from './option-values.js';

/** The options that generate and chat share. */
export interface GenerationOptions extends GenerateOptions {
  dtype: 'float32' | 'bfloat16';
  bits?: QuantizationType;
}

/** Adds them to a command. */
export function withGenerationOptions(command: Command): Command {
  return command
    .addOption(numberOption('--max-new-tokens <n>', 'most tokens to generate').default(256))
    .addOption(
      numberOption(
        '--temperature <t>',
        '0 (default): always the likeliest token; above: how evenly to sample',
      ),
    )
    .addOption(numberOption('--top-k <k>', 'sample among this many likeliest tokens'))
    .addOption(
      numberOption('--top-p <p>', 'sample among the likeliest tokens whose probabilities add up to this'),
    )
    .addOption(
      numberOption('--repetition-penalty <r>', 'above 1: tokens that were there before become less likely'),
    )
    .addOption(numberOption('--seed <n>', 'seed of the sampling (default: 0)'))
    .addOption(
      choiceOption('--dtype <type>', 'what to compute in', ['float32', 'bfloat16']).default('float32'),
    )
    .addOption(
      choiceOption('--bits <type>', 'keep the model (an adapter: its base) in 4 or 8 bits', [
        'nf4',
        'fp4',
        'int8',
      ]),
    );
}

/** Opens a folder with a model and its tokenizer. */
export async function openForGeneration(
  dir: string,
  { dtype, bits }: Pick<GenerationOptions, 'dtype' | 'bits'>,
): Promise<{ model: CausalLM; tokenizer: Tokenizer }> {
  const [{ CausalLM }, { Tokenizer }, { stopAtEndOfTurn }] = await Promise.all([
    import('../model/causal-lm.js'),
    import('../tokenizer/tokenizer.js'),
    import('../model/generation/stop-at-end-of-turn.js'),
  ]);
  const tokenizer = await Tokenizer.fromPretrained(dir);
  // Dropout does nothing outside training.
  const model = await CausalLM.fromPretrained(dir, {
    dtype,
    ignoreDropout: true,
    ...(bits === undefined ? {} : { quantization: { type: bits } }),
  });
  stopAtEndOfTurn(model, tokenizer, (message) => console.error(message));
  return { model, tokenizer };
}
