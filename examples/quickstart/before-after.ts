import type { Measures } from './measure.js';

export interface Answered {
  question: string;
  expected: string;
  before: string;
  after: string;
}

const percent = (share: number) => `${(share * 100).toFixed(1)}%`;
const nats = (value: number) => value.toFixed(2);

/** Nats per token up to which older knowledge counts as kept: a perplexity that is at most a fifth higher. */
const hardly = 0.2;

const lines: {
  name: string;
  value: keyof Measures;
  show: (value: number) => string;
  /** `kept`: is not trained, and is to stay as it is. */
  better: 'more' | 'less' | 'kept';
}[] = [
  { name: 'kind of thing, exactly right', value: 'categoryAccuracy', show: percent, better: 'more' },
  { name: 'definitions, nats per token', value: 'definitionNll', show: nats, better: 'less' },
  { name: 'older text, nats per token', value: 'textNll', show: nats, better: 'kept' },
  { name: 'older chats, nats per token', value: 'chatNll', show: nats, better: 'kept' },
];

const cut = (text: string, width: number) => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

/** The table of measures before and after, and the sample answers, as text for a terminal. */
export function beforeAfter(
  before: Measures,
  after: Measures,
  commonest: { kind: string; share: number },
  answers: Answered[],
): string {
  const table = lines.map(({ name, value, show, better }) => {
    const change = after[value] - before[value];
    // What looks the same in the table is called the same.
    const same = show(before[value]) === show(after[value]);
    const isKept = better === 'kept' && Math.abs(change) <= hardly;
    const verdict = same ? 'same' : isKept ? 'kept' : change > 0 === (better === 'more') ? 'better' : 'worse';
    return `  ${name.padEnd(30)}${show(before[value]).padStart(8)}  →${show(after[value]).padStart(8)}   ${verdict}`;
  });
  const samples = answers.flatMap(({ question, expected, before, after }) => [
    `  ${question}  (WordNet: ${cut(expected, 60)})`,
    `    before  ${cut(before.replaceAll('\n', ' '), 90) || '(nothing)'}`,
    `    after   ${cut(after.replaceAll('\n', ' '), 90) || '(nothing)'}`,
  ]);
  return [
    `  ${'on held-out data'.padEnd(30)}${'before'.padStart(8)}   ${'after'.padStart(8)}`,
    ...table,
    `  (always answering "${commonest.kind}" would be right for ${percent(commonest.share)} of these nouns)`,
    '',
    ...samples,
  ].join('\n');
}
