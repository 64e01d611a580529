import { learningStyles } from '../data/learning-style.js';
import { validateConfig } from '../config/validate-config.js';
import { parseCommand } from './parse-command.js';
import { readConfigFile } from './read-config-file.js';

const help = `Usage: adaptive-trainer validate <config.json>

Checks a configuration: every key and value, and that the model, the datasets and a place for the output are there.
Loads and trains nothing. Paths are relative to the current directory.`;

/** `adaptive-trainer validate <config.json>`. Resolves to the exit status. */
export async function runValidate(argv: readonly string[]): Promise<number> {
  const { flags, file } = parseCommand(argv, [], help);
  if (flags.help) {
    console.log(help);
    return 0;
  }
  const { config, notes } = await validateConfig(await readConfigFile(file));
  for (const { message } of config.warnings) console.error(`warning ${message}`);
  for (const note of notes) console.error(`note ${note}`);
  const datasets = learningStyles.reduce(
    (count, style) => count + (config.datasetsConfig[style]?.length ?? 0),
    0,
  );
  console.log(
    `${file} is valid: ${config.modelName} on ${datasets} ${datasets === 1 ? 'dataset' : 'datasets'}.`,
  );
  return 0;
}
