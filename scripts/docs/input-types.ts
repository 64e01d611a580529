import type { Group } from './config-keys.js';

/** Source text of the types that a user's configuration has, each key with its comment, for editors to show. */
export function inputTypes(groups: readonly Group[]): string {
  const interfaces = groups.map(
    ({ type, comment, keys }) =>
      `${jsDoc(comment, '')}export interface ${type} {\n${keys
        .map((key) => `${jsDoc(key.comment, '  ')}  ${key.name}?: ${key.type} | undefined;\n`)
        .join('')}}\n`,
  );
  const imports =
    "import type { Tracker } from '../../events/tracker.js';\nimport type { RetentionText } from './retention.js';\n";
  return `// Made by "npm run docs" from the schemas beside it, which are what to edit.\n${imports}\n${interfaces.join('\n')}`;
}

function jsDoc(comment: string, indent: string): string {
  const single = `${indent}/** ${comment} */\n`;
  if (single.length <= 121) return single;
  const lines: string[] = [];
  for (const word of comment.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + last.length + word.length + 4 <= 120) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}
