import { Document, isMap, isScalar, type YAMLMap } from 'yaml';
import { importConfig, type ImportedConfig } from '../config/import/import-config.js';
import { parseCommand } from './parse-command.js';
import { readConfigFile } from './read-config-file.js';

const help = `Usage: adaptive-trainer import-config <axolotl.yml> [--json]

Prints a configuration for this library that trains as another one says: of axolotl, of TRL's SFT (its YAML), or the
TrainingArguments of the Hugging Face Trainer (JSON). What could not be carried over stands in it as a comment, with why.

  adaptive-trainer import-config axolotl.yml > config.yml
  adaptive-trainer validate config.yml

  --json  print JSON, and the comments on standard error`;

/** `adaptive-trainer import-config <file>`. Resolves to the exit status. */
export async function runImportConfig(argv: readonly string[]): Promise<number> {
  const { flags, file } = parseCommand(argv, ['json'], help);
  if (flags.help) {
    console.log(help);
    return 0;
  }
  const imported = importConfig(await readConfigFile(file));
  if (!flags.json) {
    process.stdout.write(yamlText(imported));
    return 0;
  }
  for (const [path, comment] of imported.comments) console.error(`note ${path}: ${comment}`);
  for (const note of imported.notes) console.error(`note ${note}`);
  console.log(JSON.stringify(imported.config, null, 2));
  return 0;
}

/** The configuration as YAML, with its comments. */
export function yamlText({ from, config, comments, notes }: ImportedConfig): string {
  const document = new Document(config);
  document.commentBefore = ` Made from a configuration of ${from}.`;
  for (const [path, comment] of comments)
    commentOn(document.contents as YAMLMap, path.split('.'), ` ${comment}`);
  const lines = notes.map((note) => `#   ${note}\n`).join('');
  const left = notes.length === 0 ? '' : `\n# Not carried over:\n${lines}`;
  return `${document.toString({ lineWidth: 0 })}${left}`;
}

function commentOn(map: YAMLMap, [key, ...rest]: readonly string[], comment: string): void {
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key)!;
  if (rest.length > 0) return commentOn(pair.value as YAMLMap, rest, comment);
  // The comment of a list or an object would stand before its first line.
  const node = isScalar(pair.value) || !isMap(map) ? pair.value : pair.key;
  if (isScalar(pair.value)) pair.value.comment = comment;
  else (node as { commentBefore?: string }).commentBefore = comment;
}
