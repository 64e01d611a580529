import type {
  InspectedDataset,
  InspectReport,
  RowExcerpt,
  RowFinding,
  Suggestion,
} from '../../src/events/inspect-report.js';
import { bar } from '../bar.js';
import { h, type Child } from '../dom.js';
import { num, text } from '../numbers.js';
import { oneLine, shortName } from '../shown-text.js';
import { table } from '../table.js';

/** Datasets as the base model sees them, what would serve each, and the rows to look at. */
export function inspectedDatasets({ datasets, notes, topK }: InspectReport): Child[] {
  const names = datasets.map(({ name }) => name);
  const named = (name: string) => h('span', { title: oneLine(name, 200) }, oneLine(shortName(name, names)));
  const ks = datasets[0]?.inTop.map(({ k }) => k) ?? [];
  return [
    ...notes.map((note) => h('p', { class: 'help' }, note)),
    table<InspectedDataset>(
      'What the model makes of each dataset',
      [
        { head: 'Dataset', isHead: true, cell: ({ name }) => named(name) },
        { head: 'Style', cell: ({ style }) => style },
        { head: 'Suggested', cell: ({ suggestion }) => suggested(suggestion) },
        { head: 'Training rows', isNumber: true, cell: ({ trainRows }) => num(trainRows, 'count') },
        { head: 'Judged', isNumber: true, cell: ({ judgedRows }) => num(judgedRows, 'count') },
        { head: 'nll', isNumber: true, cell: ({ nll }) => num(nll, 'loss') },
        { head: 'Perplexity', isNumber: true, cell: ({ perplexity }) => num(perplexity, 'plain') },
        { head: 'Shares', cell: ({ inTop }) => bar(sharesOf(inTop, topK)) },
        ...ks.map((k, at) => ({
          head: k === 1 ? 'First choice' : `First ${k}`,
          isNumber: true,
          cell: ({ inTop }: InspectedDataset) => num(inTop[at]!.share, 'share'),
        })),
      ],
      datasets,
    ),
    ...datasets.map((dataset) => h('div', {}, h('h3', {}, named(dataset.name)), details(dataset))),
  ];
}

function sharesOf(inTop: InspectedDataset['inTop'], topK: number) {
  const correct = inTop[0]!.share;
  const near = inTop.findLast(({ k }) => k <= topK)!.share;
  return { correct, among: near - correct, outside: 1 - near };
}

function suggested({ style, topK, loss, isConfigured }: Suggestion): string {
  if (isConfigured) return 'as it is';
  const kind = topK === null ? style : `${style}, topK ${topK}`;
  return loss === 'ce' ? "loss 'ce'" : kind;
}

function details({ suggestion, known, noise, contradicted, duplicates }: InspectedDataset): Child {
  const { exact, near, leaked, leakedNear } = duplicates;
  return [
    h(
      'ul',
      {},
      suggestion.reasons.map((reason) => h('li', {}, reason)),
    ),
    finding('Rows known already', known),
    finding('Rows unlike the rest', noise),
    finding('Same prompt, other answer', contradicted),
    finding('Rows that are there twice', exact),
    finding('Rows that are nearly there twice', near),
    finding('Evaluation rows among the training rows', leaked),
    finding('Evaluation rows nearly among the training rows', leakedNear),
  ];
}

function finding(name: string, { rows, share, examples }: RowFinding): Child {
  if (rows === 0) return null;
  return h(
    'details',
    {},
    h('summary', {}, `${name}: ${text(rows, 'count')} (${text(share, 'share')})`),
    h(
      'ul',
      {},
      examples.map((example) => h('li', {}, excerpt(example))),
    ),
  );
}

function excerpt({ prompt, answer, nll }: RowExcerpt): Child {
  return [
    h('bdi', {}, oneLine(prompt, 200)),
    prompt !== '' && ' → ',
    h('bdi', {}, oneLine(answer, 200)),
    nll !== undefined && h('small', {}, ' nll ', num(nll, 'loss')),
  ];
}
