import type { EvaluateEvent } from '../../src/events/training-event.js';
import type { RunReport } from '../../src/report/run-report.js';
import { fromTo } from '../bar.js';
import { h, type Child } from '../dom.js';
import { num, text } from '../numbers.js';
import { lossOf, topKOf } from '../run-lines.js';
import { table } from '../table.js';

/** A number that sums a run up. */
interface Fact {
  name: string;
  value: (run: RunReport) => Child;
  /** Whether a run has it. */
  has: (run: RunReport) => boolean;
  note?: (run: RunReport) => Child;
}

const first = (run: RunReport): EvaluateEvent | undefined =>
  run.evaluations.length > 1 ? run.evaluations[0] : undefined;

/** The evaluation of the model that the run left. */
export function last(run: RunReport): EvaluateEvent | undefined {
  const best = run.outcome?.type === 'end' ? run.outcome.best?.step : undefined;
  return run.evaluations.findLast(({ step }) => step === best) ?? run.evaluations.at(-1);
}

const correctShare = (run: RunReport, at: number) => {
  const statistics = run.logs.at(at)?.statistics;
  return statistics === undefined || statistics.total_tokens === 0
    ? undefined
    : statistics.already_correct / statistics.total_tokens;
};

const facts: Fact[] = [
  {
    name: 'Held-out nll per token',
    has: (run) => last(run) !== undefined,
    value: (run) => fromTo(first(run)?.loss, last(run)?.loss, 'loss'),
    note: (run) => [
      'perplexity ',
      fromTo(first(run)?.perplexity, last(run)?.perplexity, 'plain'),
      sinceNote(run),
    ],
  },
  {
    name: 'First choice is right, held out',
    has: (run) => last(run) !== undefined,
    value: (run) => fromTo(first(run)?.tokenAccuracy, last(run)?.tokenAccuracy, 'share'),
    note: (run) =>
      topKOf(run) > 1 && [
        `among the first ${topKOf(run)}: `,
        fromTo(first(run)?.inTopKShare, last(run)?.inTopKShare, 'share'),
      ],
  },
  {
    name: 'Already correct in training',
    has: (run) => run.logs.length > 1,
    value: (run) => fromTo(correctShare(run, 0), correctShare(run, -1), 'share'),
    note: (run) =>
      `of the trained tokens, first to last log (steps ${text(run.logs[0]?.step, 'whole')} and ${text(run.logs.at(-1)?.step, 'whole')})`,
  },
  {
    name: 'Forgetting, nats per token',
    has: (run) => run.evaluations.some(({ forgetting }) => forgetting !== undefined),
    value: (run) => num(last(run)?.forgetting, 'loss'),
    note: () => 'KL(base ‖ model) on texts of the base; 0: as before',
  },
  {
    name: 'Time',
    has: (run) => run.outcome?.type === 'end',
    value: (run) => num(run.outcome?.type === 'end' ? run.outcome.seconds : undefined, 'duration'),
    note: (run) =>
      run.outcome?.type === 'end' && [
        num(run.outcome.tokensPerSecond, 'whole'),
        ' tokens/s, ',
        num(run.outcome.tokens, 'count'),
        ' tokens',
      ],
  },
  {
    name: 'Peak memory',
    has: (run) => run.outcome?.type === 'end' && run.outcome.peakMemoryBytes !== undefined,
    value: (run) => num(run.outcome?.type === 'end' ? run.outcome.peakMemoryBytes : undefined, 'bytes'),
    note: (run) => run.start?.memory && ['expected ', num(run.start.memory.total, 'bytes')],
  },
];

/** With one run its numbers as tiles, with several a table of them. */
export function summary(runs: readonly RunReport[], isLive: boolean): HTMLElement {
  if (runs.length === 1) return h('div', { class: 'summary' }, story(runs[0]!, isLive), tiles(runs[0]!));
  const shown = facts.filter(({ has }) => runs.some(has));
  return h(
    'div',
    { class: 'summary' },
    table(
      'The runs side by side',
      [
        {
          head: 'Run',
          isHead: true,
          cell: (run: RunReport) => [
            h('span', {
              class: 'swatch',
              css: { background: `var(--series-${(runs.indexOf(run) % 8) + 1})` },
            }),
            run.label,
          ],
        },
        { head: 'State', cell: (run) => badge(run) },
        { head: 'Steps', isNumber: true, cell: (run) => num(lastStep(run), 'count') },
        ...shown.map((fact) => ({
          head: fact.name,
          isNumber: true,
          cell: (run: RunReport) => (fact.has(run) ? fact.value(run) : h('span', { class: 'none' }, '–')),
        })),
      ],
      runs,
    ),
    runs
      .filter(({ state }) => state !== 'completed')
      .map((run) => h('div', {}, h('p', { class: 'name' }, run.label), story(run))),
  );
}

/** The numbers that sum a run up. */
export function tiles(run: RunReport): Child {
  const shown = facts.filter(({ has }) => has(run));
  if (shown.length === 0) return null;
  return h(
    'dl',
    { class: 'tiles' },
    shown.map(({ name, value, note }) =>
      h(
        'div',
        {},
        h('dt', {}, name),
        h('dd', {}, h('span', { class: 'value' }, value(run)), h('span', { class: 'note' }, note?.(run))),
      ),
    ),
  );
}

export function badge({ state }: RunReport): HTMLElement {
  return h('span', { class: `badge ${state.replace(' ', '-')}` }, state);
}

const lastStep = (run: RunReport): number => {
  if (run.outcome?.type === 'end') return run.outcome.steps;
  return run.outcome?.step ?? run.steps.step.at(-1) ?? 0;
};

/** What happened, in words, and what to do where it did not end well. */
function story(run: RunReport, isLive = false): Child {
  const steps = lastStep(run);
  const all = run.start?.steps ?? steps;
  const of = all === steps ? '' : ` of ${text(all, 'count')}`;
  const done = `${text(steps, 'count')}${of} ${steps === 1 && of === '' ? 'step' : 'steps'}`;
  const { outcome, state } = run;
  const lines: Child[] = [];
  if (outcome?.type === 'end') lines.push(ended(run, done));
  else if (outcome?.type === 'aborted') lines.push(`Stopped on request after ${done}. ${goOn(run)}`);
  else if (outcome?.type === 'error')
    lines.push(
      h('strong', {}, `Failed after ${done}: `),
      h(
        'span',
        { class: 'message' },
        `${outcome.code === undefined ? '' : `${outcome.code}: `}${outcome.message}`,
      ),
      ` ${steps > 0 ? goOn(run) : ''}`,
    );
  else if (state === 'broken off')
    lines.push(
      `The run ended without a word after ${done}: the process was killed, or the machine went down. ${goOn(run)}`,
    );
  else if (state === 'running')
    lines.push(
      `Running: ${done} done${left(run)}.${isLive ? '' : ` This page shows the run as it was at ${localTime(run.ended)}.`}`,
    );
  else lines.push('The run is being prepared; no step is done yet.');
  return h(
    'div',
    { class: 'story' },
    h('p', {}, lines),
    resumed(run),
    notFinite(run),
    run.notes.map((note) => h('p', { class: 'caution' }, note)),
  );
}

function ended(run: RunReport, done: string): Child {
  const { outcome } = run;
  if (outcome?.type !== 'end') return null;
  const { best, stoppedEarly, skippedSteps } = outcome;
  return [
    `Trained ${done} (${text(outcome.epochs, 'plain')} ${outcome.epochs === 1 ? 'epoch' : 'epochs'}) in ${text(outcome.seconds, 'duration')}.`,
    stoppedEarly && ' Stopped early, since evaluations no longer got better.',
    best &&
      ` The final model is that of step ${text(best.step, 'count')}, the best by ${best.metric} (${text(best.value, 'loss')}).`,
    skippedSteps !== undefined &&
      ` ${text(skippedSteps, 'count')} steps were dropped, their numbers not being finite.`,
  ];
}

function goOn(run: RunReport): string {
  const save = run.saves.findLast(({ path }) => /checkpoint-\d+$/.test(path));
  const checkpoint = run.outcome?.type === 'aborted' ? (run.outcome.checkpoint ?? save?.path) : save?.path;
  if (checkpoint === undefined) return 'No checkpoint was written, so it can only begin anew.';
  const mended = run.outcome?.type === 'error' ? ' once that is mended' : '';
  return `The last checkpoint is ${checkpoint}; \`adaptive-trainer train <config> --resume\` goes on from there${mended}.`;
}

function left(run: RunReport): string {
  const seconds = run.logs.at(-1)?.etaSeconds;
  return seconds === undefined ? '' : `, about ${text(seconds, 'duration')} left`;
}

function resumed(run: RunReport): Child {
  const later = run.starts.filter(({ resumedFrom }) => resumedFrom !== undefined);
  if (later.length === 0) return null;
  const places = later.map(
    ({ step, time }) => `step ${text(step, 'count')}${time === undefined ? '' : ` (${localTime(time)})`}`,
  );
  return h('p', {}, `Resumed at ${places.join(', ')}.`);
}

function notFinite(run: RunReport): Child {
  const { step, loss = [] } = run.steps;
  const bad = step.filter((_, i) => loss[i] === null);
  if (bad.length === 0) return null;
  return h(
    'p',
    { class: 'caution' },
    `The loss was not finite at ${bad.length === 1 ? 'step' : `${text(bad.length, 'count')} steps, first at step`} ${text(bad[0], 'count')}. A lower learningRate, more warmupSteps or precision fp32 help most often.`,
  );
}

function sinceNote(run: RunReport): Child {
  const start = first(run);
  return start !== undefined && start.step > 0 && `; first measured at step ${text(start.step, 'count')}`;
}

function localTime(time: string | undefined): string {
  return time === undefined ? '?' : `${time.slice(0, 16).replace('T', ' ')} UTC`;
}

/** Why the loss says little of learning, and what does. */
export function aboutLoss(runs: readonly RunReport[]): Child {
  if (!runs.some((run) => lossOf(run) === 'adaptive')) return null;
  return h(
    'p',
    { class: 'help' },
    'Watch these rather than the training loss. The adaptive loss is a mean over the tokens that the model still gets wrong: what it has learned leaves it, the hardest stays, so it hardly falls while the model learns.',
  );
}
