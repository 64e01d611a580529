import type { ChangedSetting, RunReport } from '../../src/report/run-report.js';
import { h, type Child } from '../dom.js';
import { num } from '../numbers.js';
import { oneLine } from '../shown-text.js';
import { table } from '../table.js';

/** What the runs were configured with: what is not the default, what differs between them, and all of it. */
export function settings(runs: readonly RunReport[]): Child {
  const started = runs.filter(({ start }) => start !== undefined);
  if (started.length === 0)
    return h('p', { class: 'nothing' }, 'No run got as far as its first step; its settings were not told.');
  return [
    h('h3', {}, started.length > 1 ? 'What is not the default in one of them' : 'What is not the default'),
    started.length > 1 ? differences(started) : changed(started[0]!),
    h('h3', {}, 'What it ran on'),
    versions(started),
    started.map((run) =>
      h(
        'details',
        {},
        h('summary', {}, `Whole configuration${started.length > 1 ? ` of ${run.label}` : ''}`),
        h(
          'pre',
          { tabindex: 0, 'aria-label': 'Configuration as JSON' },
          JSON.stringify(run.start!.config, null, 2),
        ),
      ),
    ),
  ];
}

const value = (one: unknown): HTMLElement =>
  h(
    'code',
    {},
    oneLine(
      one === undefined ? '–' : typeof one === 'string' ? one : (JSON.stringify(one) ?? 'undefined'),
      120,
    ),
  );

function changed(run: RunReport): HTMLElement {
  if (run.changed.length === 0) return h('p', { class: 'nothing' }, 'Nothing: every setting is the default.');
  return table<ChangedSetting>(
    'Settings that are not the default',
    [
      { head: 'Setting', isHead: true, cell: ({ key }) => h('code', {}, key) },
      { head: 'Value', cell: (one) => value(one.value) },
      { head: 'Default', cell: (one) => h('span', { class: 'none' }, value(one.default)) },
      { head: 'Group', cell: ({ group }) => h('span', { class: 'none' }, group) },
    ],
    run.changed,
  );
}

function differences(runs: readonly RunReport[]): HTMLElement {
  const keys = [
    ...new Map(runs.flatMap((run) => run.changed.map((one) => [`${one.group}.${one.key}`, one] as const))),
  ];
  if (keys.length === 0)
    return h('p', { class: 'nothing' }, 'Nothing: every setting of every run is the default.');
  const of = (run: RunReport, { group, key }: ChangedSetting) =>
    (run.start!.config[group] as Record<string, unknown> | null | undefined)?.[key];
  const differs = (one: ChangedSetting) => new Set(runs.map((run) => JSON.stringify(of(run, one)))).size > 1;
  const rows = keys.map(([, one]) => one).sort((a, b) => Number(differs(b)) - Number(differs(a)));
  return table<ChangedSetting>(
    'Settings of the runs beside each other',
    [
      {
        head: 'Setting',
        isHead: true,
        cell: (one) => [h('code', {}, one.key), differs(one) && h('span', { class: 'differs' }, ' differs')],
      },
      ...runs.map((run) => ({ head: run.label, cell: (one: ChangedSetting) => value(of(run, one)) })),
      { head: 'Default', cell: (one) => h('span', { class: 'none' }, value(one.default)) },
    ],
    rows,
  );
}

function versions(runs: readonly RunReport[]): HTMLElement {
  const rows: [string, (run: RunReport) => Child][] = [
    ['Model', (run) => h('code', {}, oneLine(String(run.start!.config['modelName']), 120))],
    [
      'Parameters',
      (run) => [
        num(run.start!.parameters, 'count'),
        run.start!.trainableParameters !== undefined && [
          ', ',
          num(run.start!.trainableParameters, 'count'),
          ' trained',
        ],
      ],
    ],
    [
      'Computes in',
      (run) =>
        `${run.start!.dtype} on ${run.start!.device}, ${run.start!.threads} ${run.start!.threads === 1 ? 'thread' : 'threads'}, ${run.start!.versions.cpuCapability}`,
    ],
    ['adaptive-trainer', (run) => run.start!.versions.adaptiveTrainer],
    ['libtorch', (run) => run.start!.versions.libtorch],
    ['Node', (run) => `${run.start!.versions.node}, ${run.start!.versions.platform}`],
    ['Began', (run) => run.began?.slice(0, 19).replace('T', ' ').concat(' UTC')],
    ['Run', (run) => h('code', {}, run.runId ?? '–')],
    ['Folder', (run) => h('code', {}, oneLine(run.folder, 120))],
  ];
  return table(
    'Versions and machine',
    [
      { head: 'Fact', isHead: true, cell: ([name]: (typeof rows)[number]) => name },
      ...runs.map((run) => ({
        head: runs.length > 1 ? run.label : 'Value',
        cell: ([, cell]: (typeof rows)[number]) => cell(run),
      })),
    ],
    rows,
  );
}
