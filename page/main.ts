import type { ReportData, RunReport } from '../src/report/run-report.js';
import type { Chart } from './chart.js';
import { controls } from './controls.js';
import { fill, h, type Child } from './dom.js';
import { Inspector } from './inspector/inspector.js';
import { sideNames } from './names.js';
import { Live } from './live.js';
import { answers } from './sections/answers.js';
import { learningCharts, trainingCharts } from './sections/curves.js';
import { data as dataSection } from './sections/data.js';
import { gained } from './sections/gained.js';
import { evaluatedGroups } from './sections/evaluated-groups.js';
import { groupTables } from './sections/groups.js';
import { inspectedDatasets } from './sections/inspected-datasets.js';
import { log } from './sections/log.js';
import { settings } from './sections/settings.js';
import { aboutLoss, badge, summary, tiles } from './sections/summary.js';
import { section } from './table.js';
import { SharedView, type XAxis } from './view.js';

const page: ReportData = JSON.parse(document.getElementById('data')!.textContent!);
const { runs } = page;
document.title = `${page.title} · adaptive-trainer`;

const longest = Math.max(0, ...runs.map(({ steps }) => steps.step.length));
const view = new SharedView({
  x: 'step',
  smoothing: longest >= 200 ? 0.9 : longest >= 40 ? 0.6 : 0,
  zoom: null,
  isLog: false,
});
const isMany = runs.length > 1;
const isRun = page.kind === 'run';
const each = (make: (run: RunReport, isMany: boolean) => Child): Child[] =>
  runs.map((run) => make(run, isMany)).filter((one) => one !== null && one !== false);

const learning = learningCharts(runs, view);
const training = trainingCharts(runs, view);
const inspected = runs.filter(({ inspection }) => inspection !== undefined);
const inspector = inspected.length > 0 ? new Inspector(inspected, sideNames(page)) : undefined;
const grid = (charts: readonly Chart[], name: string) =>
  h(
    'div',
    { class: `charts ${name}` },
    charts.map(({ element }) => element),
  );
const axes: XAxis[] = ['step', 'epoch', 'minutes'];

/** A part that is made anew when a run that goes on tells more. */
const changing: (() => void)[] = [];
const anew = (make: () => Child): HTMLElement => {
  const box = h('div');
  // What a reader has opened stays open, as it was.
  changing.push(() => box.querySelector('details[open]') === null && fill(box, make()));
  fill(box, make());
  return box;
};
const live =
  page.live === undefined || runs[0] === undefined
    ? undefined
    : new Live(page.live, runs[0], () => {
        for (const make of changing) make();
        for (const chart of [...learning, ...training]) chart.draw();
      });

const learned = [
  aboutLoss(runs),
  controls(view, axes),
  grid(learning, 'large'),
  anew(() => groupTables(runs)),
  live?.ask,
];
const evaluated = each((run) => [evaluatedGroups(run.groups ?? []), groupTables([run])]);
const parts: [id: string, name: string, content: Child[]][] = [
  [
    'before',
    'Datasets before any training',
    runs.flatMap(({ inspect }) => (inspect === undefined ? [] : inspectedDatasets(inspect))),
  ],
  ['learning', isRun ? 'What it learned' : 'On held-out rows', isRun ? learned : evaluated],
  ['gained', isRun ? 'Gained and forgotten' : 'Better and worse', each(gained)],
  ['tokens', 'Token by token', inspector === undefined ? [] : [inspector.element]],
  ['answers', 'Answers before and after', each(answers)],
  ['training', 'How it trained', isRun ? [grid(training, 'small')] : []],
  ['datasets', 'Data', each(dataSection)],
  ['settings', 'Settings and versions', isRun ? [settings(runs)] : []],
  ['log', 'Log', isRun ? [anew(() => each(log))] : []],
];
const shown = parts.filter(([, , content]) => content.length > 0);

fill(
  document.getElementById('page')!,
  h(
    'header',
    { class: 'top' },
    h(
      'div',
      {},
      h('h1', {}, page.title),
      isRun && !isMany && runs[0] !== undefined && anew(() => badge(runs[0]!)),
    ),
    h(
      'nav',
      { 'aria-label': 'Parts of the page' },
      h(
        'ul',
        {},
        shown.map(([id, name]) => h('li', {}, h('a', { href: `#${id}` }, name))),
      ),
    ),
  ),
  h(
    'main',
    {},
    live?.bar,
    anew(() => (isRun ? summary(runs, live !== undefined) : runs.map(tiles))),
    shown.map(([id, name, content]) => section(id, name, ...content)),
  ),
  h(
    'footer',
    {},
    `adaptive-trainer ${page.version}, ${page.made.slice(0, 16).replace('T', ' ')} UTC. Point at a number to see all of its digits.`,
  ),
);
for (const chart of [...learning, ...training]) chart.draw();
inspector?.start();
live?.start();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => view.set({}));
