import type { Command } from 'commander';
import { command } from '../command.js';
import { readConfigFile } from '../read-config-file.js';

export function importConfigCommand(): Command {
  return command(
    'import-config',
    'make a configuration of axolotl, TRL or the Hugging Face Trainer into one of this library',
    "Prints a configuration that trains as another one says: of axolotl, of TRL's SFT (its YAML), or the TrainingArguments " +
      'of the Hugging Face Trainer (JSON). What could not be carried over stands in it as a comment, with why.\n\n' +
      '  adaptive-trainer import-config axolotl.yml > config.yml\n  adaptive-trainer validate config.yml',
  )
    .argument('<axolotl.yml>', 'what to make it of')
    .option('--json', 'print JSON, and the comments on standard error')
    .action(async (file: string, { json = false }: { json?: boolean }) => {
      const input = await readConfigFile(file);
      const { printImported } = await import('../import-config.js');
      printImported(input, json);
    });
}
