import { Source } from './comments.js';
import { cell, table } from './markdown.js';

const intro = `# Every error

Whatever the library refuses, it refuses with an \`AdaptiveTrainerError\`. Its \`message\` says what was expected, what was found,
where, and what to do; its \`code\` is stable, and \`details\` holds the same facts for programs:

\`\`\`ts
import { AdaptiveTrainerError, parseConfig } from 'adaptive-trainer';

try {
  parseConfig({ modelName: 'model' });
} catch (error) {
  if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
  for (const { path, message } of error.details.faults) console.error(path, message);
}
\`\`\`

Comparing \`code\` narrows the type as well: after \`AdaptiveTrainerError.isInstance(error)\`, a
\`switch (error.code)\` has the \`details\` of each case. Details that are not there in every error of a code are marked with
\`?\`.
`;

/** docs/errors.md: every error code, its meaning and its details. */
export function errorsPage(): string {
  const source = new Source('src/common/error-details.ts');
  const fault = new Source('src/common/config-fault.ts');
  const rows = source.nested('ErrorDetails').map(({ member, members }) => {
    if (member.comment === '') throw new Error(`The error code ${member.name} has no comment`);
    const details = members.map(({ name, isOptional }) => `\`${name}${isOptional ? '?' : ''}\``);
    return [`\`${member.name}\``, cell(member.comment), details.join(', ')];
  });
  const faults = fault
    .interface('ConfigFault')
    .map(({ name, isOptional, type, comment }) => [
      `\`${name}${isOptional ? '?' : ''}\``,
      cell(`\`${type}\``),
      cell(comment),
    ]);
  return [
    intro,
    table(['code', 'meaning', 'details'], rows),
    '## A fault of a configuration\n',
    'What `details.faults` of `CONFIG_INVALID` lists.\n',
    table(['field', 'type', 'meaning'], faults),
  ].join('\n');
}
