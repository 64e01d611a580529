import { format } from '../common/format.js';
import { renderTable } from '../common/table.js';
import type { InspectedDataset, InspectReport, RowExcerpt, RowFinding } from '../events/inspect-report.js';

/** What `inspect` prints. */
export function inspectText({ model, datasets, notes, loss, topK }: InspectReport): string {
  const ks = datasets[0]?.inTop.map(({ k }) => (k === 1 ? 'correct' : `first ${k}`)) ?? [];
  return [
    `${model} before any training, configured: loss ${loss}, topK ${topK}`,
    renderTable(['', 'rows', 'judged', 'nll', 'perplexity', ...ks], datasets.map(datasetCells)),
    ...datasets.map(datasetText),
    ...(notes.length === 0 ? [] : [notes.map((note) => `note ${note}`).join('\n')]),
  ].join('\n\n');
}

function datasetCells({
  name,
  style,
  trainRows,
  judgedRows,
  nll,
  perplexity,
  inTop,
}: InspectedDataset): string[] {
  return [
    `${name} (${style})`,
    format.count(trainRows),
    format.count(judgedRows),
    format.loss(nll),
    format.loss(perplexity),
    ...inTop.map(({ share }) => percent(share)),
  ];
}

function datasetText({
  name,
  style,
  suggestion,
  known,
  noise,
  contradicted,
  duplicates,
}: InspectedDataset): string {
  const { exact, near, leaked, leakedNear, rows, evalRows } = duplicates;
  const findings = [
    finding('known already', known, 'judged rows', false),
    finding('unlike the rest', noise, 'judged rows'),
    finding('same prompt, other answer', contradicted, `${format.count(rows)} rows`),
    finding('twice', exact, `${format.count(rows)} rows`),
    finding('nearly twice', near, `${format.count(rows)} rows`),
    finding('evaluation rows among training rows', leaked, `${format.count(evalRows)} evaluation rows`),
    finding('nearly so', leakedNear, `${format.count(evalRows)} evaluation rows`),
  ].flat();
  const { isConfigured } = suggestion;
  const advice = isConfigured ? `as configured: ${named(suggestion)}` : `suggested: ${named(suggestion)}`;
  return [
    `${name}, learned as ${style}`,
    `  ${advice}`,
    ...suggestion.reasons.map((reason) => `    ${reason}`),
    ...findings,
  ].join('\n');
}

function named({ style, topK, loss }: InspectedDataset['suggestion']): string {
  if (loss === 'ce')
    return topK === null ? "loss 'ce'" : `loss 'ce' (or adaptive as ${style} with topK ${topK})`;
  return topK === null ? style : `${style} with topK ${topK}`;
}

function finding(name: string, { rows, share, examples }: RowFinding, of: string, isShown = true): string[] {
  if (rows === 0) return [];
  const shown = isShown ? examples.map(excerptText) : [];
  return [`  ${name}: ${format.count(rows)} (${percent(share)} of ${of})`, ...shown];
}

function excerptText({ prompt, answer, nll }: RowExcerpt): string {
  const judged = nll === undefined ? '' : ` (nll ${format.loss(nll)})`;
  return `    ${prompt === '' ? '' : `${prompt} → `}${answer}${judged}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;
}
