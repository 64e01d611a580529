import type { SampleAnswer } from '../../src/events/token-record.js';
import type { RunReport } from '../../src/report/run-report.js';
import { h, type Child } from '../dom.js';
import { oneLine, shownText } from '../shown-text.js';

const longest = 1200;

/** What the model answered before and after. */
export function answers(run: RunReport, isMany: boolean): Child {
  if (run.answers === undefined || run.answers.length === 0) return null;
  // A run that goes on has not answered again yet.
  const hasAfter = run.answers.some(({ after }) => after !== '');
  return h(
    'div',
    {},
    isMany && h('h3', {}, run.label),
    h(
      'div',
      { class: 'answers' },
      run.answers.map((one) => answer(one, hasAfter)),
    ),
  );
}

function answer({ prompt, expected, before, after, dataset }: SampleAnswer, hasAfter: boolean): HTMLElement {
  return h(
    'article',
    { class: 'answer' },
    h('p', { class: 'source' }, oneLine(dataset)),
    h('div', { class: 'prompt' }, messages(prompt)),
    h(
      'dl',
      {},
      expected !== undefined && entry('Wanted', expected),
      entry('Before', before),
      hasAfter && entry('After', after),
    ),
  );
}

function messages(prompt: SampleAnswer['prompt']): Child {
  if (typeof prompt === 'string') return said(prompt);
  return prompt.map(({ role, content }) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content ?? '');
    return h('p', {}, h('span', { class: 'role' }, oneLine(String(role), 20)), said(text));
  });
}

const entry = (name: string, text: string) => h('div', {}, h('dt', {}, name), h('dd', {}, said(text)));

/** Text of the data; a long one opens on demand. */
function said(text: string): Child {
  if (text === '') return h('em', { class: 'none' }, 'nothing');
  if (text.length <= longest) return h('bdi', { class: 'said' }, shownText(text));
  return h(
    'details',
    {},
    h('summary', {}, h('bdi', { class: 'said' }, shownText(text.slice(0, longest))), ' …'),
    h('bdi', { class: 'said' }, shownText(text.slice(longest))),
  );
}
