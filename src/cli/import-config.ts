import { Document, isMap, isScalar, type YAMLMap } from 'yaml';
import { importConfig, type ImportedConfig } from '../config/import/import-config.js';

/** Prints a configuration of another trainer as one of this library. */
export function printImported(input: unknown, asJson: boolean): void {
  const imported = importConfig(input);
  if (!asJson) {
    process.stdout.write(yamlText(imported));
    return;
  }
  for (const [path, comment] of imported.comments) console.error(`note ${path}: ${comment}`);
  for (const note of imported.notes) console.error(`note ${note}`);
  console.log(JSON.stringify(imported.config, null, 2));
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
