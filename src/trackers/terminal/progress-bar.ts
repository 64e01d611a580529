import stringWidth from 'fast-string-width';
import type { Tracker } from '../../events/tracker.js';
import type {
  EvaluateEvent,
  InspectEvent,
  StartEvent,
  StepEvent,
  TextsEvent,
  TrainingEvent,
} from '../../events/training-event.js';
import { LiveLine, type PrintTarget } from '../../common/live-line.js';
import { format } from '../../common/format.js';
import { comparisonText } from './comparison-text.js';
import { datasetsText } from './datasets-text.js';
import { keptBlocksText } from './kept-blocks-text.js';
import { stepLine } from './step-line.js';

/** Where and how often a `ProgressBar` writes. */
export interface ProgressBarOptions {
  /** Default: standard error, so that standard output stays free for results. */
  stream?: PrintTarget;
  /** Shortest time between two redraws, in milliseconds. Default 60. */
  interval?: number;
  env?: NodeJS.ProcessEnv;
}

const barWidths = [24, 12]; // the first beside which all fields fit
const narrow = 60; // below this many columns the fields need all the room

/**
 * Shows a run to a person. On a terminal it keeps one live line, never wider than the terminal, and prints everything
 * else above it; elsewhere it prints a plain line per `log` event. Colours follow NO_COLOR.
 */
export class ProgressBar implements Tracker {
  private readonly liveLine: LiveLine;
  private readonly interval: number;
  private steps = 0;
  private last: StepEvent | undefined;
  private drawnAt = -Infinity;

  constructor({ stream = process.stderr, interval = 60, env = process.env }: ProgressBarOptions = {}) {
    this.liveLine = new LiveLine(stream, env);
    this.interval = interval;
  }

  onEvent(event: TrainingEvent): void {
    switch (event.type) {
      case 'datasets':
        return this.print(datasetsText(event.report));
      case 'texts':
        return this.onTexts(event);
      case 'inspect':
        return this.onInspect(event);
      case 'comparison':
        return this.print(comparisonText(event));
      case 'start':
        this.steps = event.steps;
        return this.print(startText(event));
      case 'step':
        return this.onStep(event);
      case 'log':
        return this.liveLine.isLive ? undefined : this.print(stepLine(event, this.steps));
      case 'evaluate':
        return this.print(this.liveLine.colors.cyan(evaluateText(event)));
      case 'save':
        return this.print(this.liveLine.colors.dim(`saved ${event.path}`));
      case 'warning':
        return this.print(`${this.liveLine.colors.yellow('warning')} ${event.message}`);
      default:
        return;
    }
  }

  /** Prints a line above the live one. */
  note(text: string): void {
    this.print(text);
  }

  /** Leaves the live line as it last was and moves below it. */
  async close(): Promise<void> {
    this.draw();
    this.liveLine.leave();
    this.last = undefined;
  }

  private onTexts({ doing, done, total }: TextsEvent): void {
    const what = doing === 'writing' ? 'writes texts of its own' : 'reads what is to be kept of it';
    const text = `the base model ${what}: ${format.count(done)} of ${format.count(total)}`;
    if (done === total) return this.print(text);
    const room = Math.max(0, this.liveLine.width - barWidths[0]! - 1);
    this.liveLine.draw(`${this.liveLine.bar(done / total, barWidths[0]!)} ${text.slice(0, room)}`);
  }

  private onInspect({ when, done, total }: InspectEvent): void {
    const text = `judging rows ${when} the run: ${format.count(done)} of ${format.count(total)}`;
    if (done < total) this.liveLine.draw(`${this.liveLine.bar(done / total, barWidths[0]!)} ${text}`);
    else this.draw();
  }

  private onStep(event: StepEvent): void {
    this.last = event;
    const now = performance.now();
    if (now - this.drawnAt < this.interval && event.step < this.steps) return;
    this.drawnAt = now;
    this.draw();
  }

  private print(text: string): void {
    this.liveLine.print(text);
    this.draw();
  }

  private draw(): void {
    if (this.last !== undefined) this.liveLine.draw(this.line(this.last, this.liveLine.width));
  }

  private line(event: StepEvent, width: number): string {
    const whole = stringWidth(stepLine(event, this.steps));
    const bar =
      barWidths.find((size) => whole + size + 1 <= width) ?? (width < narrow ? 0 : barWidths.at(-1)!);
    if (bar === 0) return stepLine(event, this.steps, width);
    return `${this.liveLine.bar(event.step / Math.max(1, this.steps), bar)} ${stepLine(event, this.steps, width - bar - 1)}`;
  }
}

function startText(event: StartEvent): string {
  const { device, dtype, threads, memory, pagedStates } = event;
  const parts = [
    `${event.runName}: ${format.count(event.steps)} steps`,
    `${format.count(event.trainRows)} rows to train on, ${format.count(event.evalRows)} to evaluate`,
    event.trainableParameters === undefined
      ? `${format.count(event.parameters)} parameters`
      : `${format.count(event.trainableParameters)} of ${format.count(event.parameters)} parameters`,
    `${device} in ${dtype} on ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    ...(memory === undefined
      ? []
      : [`about ${format.bytes(memory.total)} of memory, ${format.bytes(memory.available)} free`]),
    ...(memory?.keptBlocks === undefined ? [] : [keptBlocksText(memory.keptBlocks)]),
    ...(pagedStates === undefined
      ? []
      : [
          `${format.bytes(pagedStates.paged)} of the optimizer's states lie in main memory: the device has no room`,
        ]),
  ];
  return parts.join(' · ');
}

function evaluateText(event: EvaluateEvent): string {
  const accuracy = format.share(event.tokenAccuracy, 1);
  const parts = [
    `loss ${format.loss(event.loss)}`,
    `perplexity ${format.loss(event.perplexity)}`,
    `correct ${accuracy}`,
    ...(event.forgetting === undefined ? [] : [`forgetting ${format.loss(event.forgetting)}`]),
    format.duration(event.seconds),
  ];
  return `evaluation after step ${event.step}: ${parts.join(' · ')}`;
}
