import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Tracker } from '../../events/tracker.js';
import type { SamplesEvent, StartEvent, TrainingEvent, WarningEvent } from '../../events/training-event.js';
import { BackgroundFile } from '../background-file.js';
import { firstStepOf } from '../first-step.js';
import { metricRow, summaryMetrics, type MetricRow } from '../metric-row.js';
import {
  hparamsEnd,
  hparamsStart,
  sessionStartEvent,
  summaryEvent,
  versionEvent,
  type SummaryValue,
} from './event-messages.js';
import { RecordFrame } from './record-file.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { snakeCase } from '../../common/snake-case.js';

export interface TensorBoardTrackerOptions {
  /** Called once, with the first failure to write. Default: a process warning. */
  onWarning?: (warning: WarningEvent) => void;
}

let filesOfThisProcess = 0;

/**
 * Writes TensorBoard event files into `<outputDir>/tensorboard`: the metrics of each log, evaluation and adaptive
 * report as scalars, the settings as hyper-parameters and as text, and the sample rows as text. Open them with
 * `tensorboard --logdir <outputDir>`. A resumed run starts a file that outdates what older files hold of the repeated
 * steps. Writing happens in the background and never ends a run.
 */
export class TensorBoardTracker implements Tracker {
  private readonly file: BackgroundFile;
  private readonly frame = RecordFrame.create();
  private isFirst = true;
  private step = 0;
  private succeeded = false;
  private hasHparams = false;

  constructor(outputDir: string, { onWarning }: TensorBoardTrackerOptions = {}) {
    const seconds = Math.floor(Date.now() / 1000);
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${filesOfThisProcess++}`;
    const path = join(outputDir, 'tensorboard', name);
    const tell = onWarning ?? (({ message, code }) => process.emitWarning(message, { code }));
    this.file = new BackgroundFile(path, (reason) =>
      tell({
        type: 'warning',
        code: 'TENSORBOARD_NOT_WRITTEN',
        message: `Expected to write TensorBoard events to ${path}, but it failed: ${reason}. Training goes on without them.`,
      }),
    );
  }

  onEvent(event: TrainingEvent): void {
    if (event.type === 'start') this.start(event);
    if (event.type === 'samples') this.samples(event);
    if ('step' in event && event.step !== undefined) this.step = event.step;
    const row = metricRow(event);
    if (row !== undefined) this.scalars(row);
    if (event.type === 'end') {
      this.succeeded = true;
      this.scalars(
        Object.fromEntries(Object.entries(summaryMetrics(event)).map(([k, v]) => [`train/${k}`, v])),
      );
    }
  }

  async close(): Promise<void> {
    if (this.hasHparams) {
      const hparams = hparamsEnd(this.succeeded, now());
      this.write(summaryEvent(now(), this.step, [{ tag: '_hparams_/session_end_info', hparams }]));
    }
    await this.file.close();
  }

  private start(event: StartEvent): void {
    const wallTime = now();
    const firstStep = firstStepOf(event);
    if (firstStep > 1) this.write(sessionStartEvent(wallTime, firstStep));
    const settings = settingsTable(event.config);
    const hparams = hparamsStart(settings, wallTime);
    this.hasHparams = true;
    this.write(summaryEvent(wallTime, 0, [{ tag: '_hparams_/session_start_info', hparams }]));
    const text = Object.entries(settings).map(([name, value]) => `| ${name} | ${String(value)} |`);
    this.write(
      summaryEvent(wallTime, 0, [
        { tag: 'settings', text: ['| setting | value |', '| --- | --- |', ...text].join('\n') },
      ]),
    );
  }

  private samples({ rows }: SamplesEvent): void {
    const values = rows.map(({ source, text }, index) => ({
      tag: `samples/${source}/${index}`,
      // TensorBoard renders Markdown: indented text is shown as it is.
      text: text.replace(/^/gm, '    '),
    }));
    if (values.length > 0) this.write(summaryEvent(now(), 0, values));
  }

  private scalars(row: MetricRow): void {
    const values = Object.entries(row).map(([tag, scalar]): SummaryValue => ({ tag, scalar }));
    this.write(summaryEvent(now(), this.step, values));
  }

  private write(event: Uint8Array): void {
    const isFirst = this.isFirst;
    this.isFirst = false;
    this.file.append(async () => {
      const frame = await this.frame;
      return isFirst
        ? Buffer.concat([frame.frame(versionEvent(now())), frame.frame(event)])
        : frame.frame(event);
    });
  }
}

function now(): number {
  return Date.now() / 1000;
}

type Setting = number | string | boolean;

/**
 * Returns the settings of a run as one flat table, in the names of the Python package: `learning_rate`,
 * `adaptive_loss_config/top_k`. Settings without a value are left out; lists become JSON.
 */
function settingsTable(config: Readonly<Record<string, unknown>>, prefix = ''): Record<string, Setting> {
  const table: Record<string, Setting> = {};
  for (const [key, value] of Object.entries(config)) {
    const name = `${prefix}${snakeCase(key)}`;
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean')
      table[name] = value;
    else if (isPlainObject(value)) Object.assign(table, settingsTable(value, `${name}/`));
    else if (Array.isArray(value)) table[name] = JSON.stringify(value);
  }
  return table;
}
