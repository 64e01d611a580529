import type { Group, Key } from './config-keys.js';
import { splitDefault } from './config-keys.js';
import { Source, type Member } from './comments.js';
import { cell, table } from './markdown.js';

const intro = `# Every key

The argument of \`trainAdaptively\`, and what a configuration file for the command holds. Keys are written in camelCase. The
snake_case of the Python package \`adaptive_trainer\` (\`training_config\`, \`max_length_token\`) is accepted at run time for
every key, also mixed; the types offer camelCase alone, so that an editor completes each key once. A configuration in
snake_case, or one that was read from a JSON file, passes the type check by way of \`parseConfig\`:

\`\`\`ts
import { readFile } from 'node:fs/promises';
import { parseConfig, trainAdaptively } from 'adaptive-trainer';

const config = parseConfig(JSON.parse(await readFile('config.json', 'utf8'))); // throws with all faults at once
await trainAdaptively(config);
\`\`\`

A configuration is read once. What \`parseConfig\` returns is frozen, and it and its parts (\`trainingConfig\`, \`datasets\`, …)
are taken as they are wherever a configuration is expected; a changed copy is checked anew.
`;

/** docs/keys.md: every key with its type, default and meaning. */
export function keysPage(groups: readonly Group[]): string {
  const call = new Source('src/config/schema/train-adaptively-options.ts');
  const datasets = new Source('src/config/datasets/datasets-config.ts');
  const hooks = new Source('src/train-adaptively.ts');
  const order = ['trainingConfig', 'retention', 'adaptiveLossConfig', 'peftConfig', 'uploadConfig'];
  const sections = [...order, 'lrSchedulerKwargs', 'optimArgs'].map((name) =>
    groups.find(({ key }) => key === name)!,
  );
  return [
    intro,
    '## The whole\n',
    ofMembers(call.interface('TrainAdaptivelyOptions')),
    '## datasetsConfig\n',
    `${datasets.comment('DatasetsConfigInput')} See [data.md](data.md).\n`,
    ofMembers(datasets.interface('DatasetsConfigInput')),
    '## datasetsKwargs\n',
    `${datasets.comment('DatasetKwargsInput')} Each stands under the name of its dataset.\n`,
    ofMembers(datasets.interface('DatasetKwargsInput')),
    ...sections.flatMap(({ key, comment, keys }) => [`## ${key}\n`, `${comment}\n`, ofKeys(keys)]),
    '## The second argument\n',
    'What cannot stand in a file is given beside the configuration.\n',
    ofMembers(hooks.interface('TrainAdaptivelyHooks')),
  ].join('\n');
}

function ofKeys(keys: readonly Key[]): string {
  return table(
    ['key', 'type', 'default', 'meaning'],
    keys.map((key) => [`\`${key.name}\``, cell(`\`${key.type}\``), cell(key.default), cell(key.meaning)]),
  );
}

function ofMembers(members: readonly Member[]): string {
  return ofKeys(
    members.map((member) => {
      if (member.comment === '') throw new Error(`${member.name} has no comment that says what it means`);
      const type = member.type.replace(/ \| undefined\b/g, '');
      if (!member.isOptional) return { ...member, type, default: 'required', meaning: member.comment };
      return { ...member, type, ...splitDefault(member.name, member.comment, undefined) };
    }),
  );
}
