import { parseArgs } from 'node:util';
import type { GenerateOptions } from '../model/generation/generate-options.js';
import { UsageError } from './usage-error.js';

/** The options that generate and chat share, as their helps print them. */
export const generationHelp = `  --max-new-tokens <n>       most tokens to generate (default 256)
  --temperature <t>          0 (default): always the likeliest token; above: how evenly to sample
  --top-k <k>                sample among this many likeliest tokens
  --top-p <p>                sample among the likeliest tokens whose probabilities add up to this
  --repetition-penalty <r>   above 1: tokens that were there before become less likely
  --seed <n>                 seed of the sampling (default 0)
  --dtype <type>             float32 (default) or bfloat16`;

const numbers = {
  'max-new-tokens': 'maxNewTokens',
  temperature: 'temperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'repetition-penalty': 'repetitionPenalty',
  seed: 'seed',
} as const satisfies Record<string, keyof GenerateOptions>;

export interface GenerationCommand {
  help: boolean;
  positionals: string[];
  /** --system, where the command takes it. */
  system: string | undefined;
  dtype: 'float32' | 'bfloat16';
  options: GenerateOptions;
}

/**
 * Parses the arguments of generate and chat.
 * @param expected what the positional arguments are, for errors; one word each
 * @throws UsageError for an unknown option, a value that is no number, or other than the expected arguments
 */
export function parseGenerationCommand(
  argv: readonly string[],
  expected: readonly string[],
  help: string,
): GenerationCommand {
  const names = [...Object.keys(numbers), 'system', 'dtype'];
  const strings = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      options: { ...strings, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const { positionals } = parsed;
  const values = parsed.values as Record<string, string | boolean | undefined>;
  const isHelp = values['help'] === true;
  if (!isHelp && positionals.length !== expected.length) {
    const received = positionals.length === 0 ? 'nothing' : positionals.join(' ');
    throw new UsageError(
      `Expected ${expected.map((name) => `<${name}>`).join(' ')} but received ${received}.`,
      help,
    );
  }
  const options: GenerateOptions = { maxNewTokens: 256 };
  for (const [flag, key] of Object.entries(numbers)) {
    const text = values[flag];
    if (typeof text === 'string') options[key] = numberOf(flag, text, help);
  }
  return {
    help: isHelp,
    positionals,
    system: values['system'] as string | undefined,
    dtype: dtypeOf(values, help),
    options,
  };
}

function numberOf(flag: string, text: string, help: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new UsageError(`Expected a number for --${flag} but received ${JSON.stringify(text)}.`, help);
}

function dtypeOf(values: Record<string, unknown>, help: string): 'float32' | 'bfloat16' {
  const dtype = values['dtype'] ?? 'float32';
  if (dtype === 'float32' || dtype === 'bfloat16') return dtype;
  throw new UsageError(`Expected --dtype float32 or bfloat16 but received ${JSON.stringify(dtype)}.`, help);
}
