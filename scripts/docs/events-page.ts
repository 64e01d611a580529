import { Source, type Member } from './comments.js';
import { cell, table } from './markdown.js';

const intro = `# Every event

What a training run tells its trackers, callbacks and \`onEvent\`, and what stands in \`metrics.jsonl\`, one event a line with
its \`time\` first. The field \`type\` says which it is.
`;

/** docs/events.md: every event with its fields. */
export function eventsPage(): string {
  const source = new Source('src/events/training-event.ts');
  const memory = new Source('src/events/memory-report.ts');
  const datasets = new Source('src/events/dataset-report.ts');
  const events = source.union('TrainingEvent').flatMap((name) => {
    const fields = source.interface(name);
    const type = fields.find((field) => field.name === 'type')!.type.replaceAll("'", '');
    const others = fields.filter((field) => field.name !== 'type');
    return [`## ${type}\n`, `${source.comment(name)} Type: \`${name}\`.\n`, ofFields(others)];
  });
  const part = (of: Source, name: string) => [
    `## ${name}\n`,
    `${of.comment(name)}\n`,
    ofFields(of.interface(name)),
  ];
  return [
    intro,
    `${source.comment('TrainingEvent')}\n`,
    ...events,
    ...part(source, 'TokenStatistics'),
    ...part(source, 'EvaluationMetrics'),
    ...part(datasets, 'DatasetReport'),
    ...part(memory, 'MemoryReport'),
  ].join('\n');
}

function ofFields(fields: readonly Member[]): string {
  return table(
    ['field', 'type', 'meaning'],
    fields.map(({ name, isOptional, type, comment }) => [
      `\`${name}${isOptional ? '?' : ''}\``,
      cell(`\`${type}\``),
      cell(comment),
    ]),
  );
}
