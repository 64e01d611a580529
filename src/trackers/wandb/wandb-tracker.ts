import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { redactSecrets } from '../../common/redact-secrets.js';
import type { Tracker } from '../../events/tracker.js';
import type { EndEvent, StartEvent, TrainingEvent, WarningEvent } from '../../events/training-event.js';
import { firstStepOf } from '../first-step.js';
import { metricRow, summaryMetrics } from '../metric-row.js';
import { ConsoleCapture } from './console-capture.js';
import { environmentFile, environmentRecord, runRecord, wandbId } from './wandb-run.js';
import { SystemMetrics } from './system-metrics.js';
import { WandbClient, type WandbBucket } from './wandb-client.js';
import { freeFolder, makeFolders, newestLog } from './wandb-folder.js';
import { readWandbLog, WandbLog } from './wandb-log.js';
import type { EnvironmentRecord, RunRecord } from './wandb-records.js';
import { defaultPacing, WandbSender, type WandbPacing } from './wandb-sender.js';
import type { WandbSettings } from './wandb-settings.js';

export interface WandbTrackerOptions {
  settings: WandbSettings;
  /** Told what hinders the reporting; training goes on. Default: a process warning. */
  onWarning?: (warning: WarningEvent) => void;
  /** Told where the run is to be seen, and at the end how much is left to send. Default: printed to stderr. */
  onNote?: (message: string) => void;
  pacing?: Partial<WandbPacing>;
}

const systemMetricsMs = 15_000;
/** The step that the other metrics are plotted over, as in the Hugging Face integration. */
const stepMetric = 'train/global_step';

/**
 * Reports a run to Weights & Biases. Everything goes into a `.wandb` file in the folder layout of the official client
 * (`<dir>/wandb/run-…` or `offline-run-…`), and online is sent from there in the background, in order, each row once; the
 * file can be sent later by `wandb sync <folder>`. All metrics of one step make one row, whose `_step` is the optimizer
 * step. A resumed run continues the W&B run of the same id.
 */
export class WandbTracker implements Tracker {
  private readonly settings: WandbSettings;
  private readonly pacing: WandbPacing;
  private readonly writerId = randomBytes(16).toString('hex');
  private readonly metrics = new SystemMetrics();
  private console: ConsoleCapture | undefined;
  private timer: NodeJS.Timeout | undefined;
  private log: WandbLog | undefined;
  private sender: WandbSender | undefined;
  private run: RunRecord | undefined;
  private environment: EnvironmentRecord | undefined;
  private readonly output: string[] = [];
  private summary: Record<string, unknown> = {};
  /** The row of the step that more metrics may still come for. */
  private row: { step: number; values: Record<string, number> } | undefined;
  private lastStep = -1;
  private readonly defined = new Set<string>();
  private exitCode = 1;

  constructor(private readonly options: WandbTrackerOptions) {
    this.settings = options.settings;
    this.pacing = { ...defaultPacing, ...options.pacing };
  }

  async onEvent(event: TrainingEvent): Promise<void> {
    if (event.type === 'start') await this.start(event);
    if (this.log === undefined) return;
    if ('step' in event && event.step !== undefined && event.step > (this.row?.step ?? Infinity))
      this.writeRow();
    const values = metricRow(event);
    if (values !== undefined && 'step' in event) this.addToRow(event.step ?? 0, values);
    if (event.type === 'end') this.end(event);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.console?.close();
    const { log, sender } = this;
    if (log === undefined) return;
    this.writeRow();
    this.writeSystemMetrics();
    log.append({ type: 'exit', exitCode: this.exitCode, runtime: Math.round(this.runtime()) });
    await log.flushed();
    const { stringify } = await import('yaml');
    const isSent = await sender?.finish(this.exitCode, () => ({
      config: JSON.stringify(this.configFile()),
      files: this.files(stringify),
    }));
    await log.close();
    const folder = this.folder();
    if (sender === undefined) this.note(`W&B: the run is in ${folder}. Send it with: wandb sync ${folder}`);
    else if (!isSent) {
      const why = sender.lastFailure === '' ? '' : ` (${this.clean(sender.lastFailure)})`;
      this.warn(
        `Not everything reached W&B${why}. All of it is in ${folder}; send it with: wandb sync ${folder}`,
      );
    }
  }

  private async start(event: StartEvent): Promise<void> {
    const { settings } = this;
    if (settings.mode === 'disabled') return;
    const id = settings.runId ?? wandbId(event.runId);
    const startTime = Date.now() / 1000;
    const firstStep = firstStepOf(event);
    const isResumed = firstStep > 1;
    const earlier = isResumed ? newestLog(settings.dir, id) : undefined;
    const folder = freeFolder(join(settings.dir, 'wandb'), settings.mode === 'online' ? '' : 'offline-', id);
    const log = new WandbLog(join(folder, `run-${id}.wandb`), (reason) =>
      this.warn(`Expected to write ${folder}, but it failed: ${reason}. W&B is told no more of this run.`),
    );
    this.log = log;
    await makeFolders(folder).catch((error: unknown) =>
      this.warn(`Expected to make ${folder}, but it failed: ${String(error)}.`),
    );
    const clean = (text: string) => this.clean(text);
    this.run = await runRecord(event, settings, { id, startTime, resumed: isResumed }, clean);
    this.environment = environmentRecord(startTime, this.writerId, clean);
    log.append({ type: 'header', producer: 'adaptive-trainer' });
    log.append({ type: 'run', run: this.run });
    log.append({ type: 'environment', environment: this.environment });
    log.append({ type: 'metric', name: stepMetric });
    log.append({ type: 'metric', globName: '*', stepMetric });
    if (earlier !== undefined) await this.copyRows(earlier, firstStep);
    if (settings.console) this.console = new ConsoleCapture((stream, line) => this.printed(stream, line));
    this.timer = setInterval(() => this.writeSystemMetrics(), systemMetricsMs).unref();
    this.writeSystemMetrics();
    if (settings.mode === 'online') this.sender = this.send(log, this.run, isResumed);
  }

  private send(log: WandbLog, run: RunRecord, isResumed: boolean): WandbSender {
    const { settings } = this;
    return new WandbSender({
      client: new WandbClient(settings.baseUrl, settings.apiKey!),
      log,
      run: {
        name: run.id,
        project: run.project,
        entity: run.entity,
        groupName: run.group,
        displayName: run.name,
        notes: run.notes,
        commit: run.gitCommit,
        repo: run.gitRemote,
        config: JSON.stringify(this.configFile()),
        host: run.host,
        program: this.environment!.program,
        tags: run.tags,
      },
      resume: settings.resume ?? (isResumed ? 'allow' : undefined),
      pacing: this.pacing,
      startTime: run.startTime,
      onRun: (bucket) => this.note(`W&B: ${this.address(bucket)}`),
      onWarning: (message) =>
        this.warn(
          `Expected ${settings.baseUrl} to take the run, but ${this.clean(message)}. Nothing more is sent; the run goes ` +
            `on into ${this.folder()}, which "wandb sync" sends later.`,
        ),
      onStatus: (message) => this.note(message),
    });
  }

  /** Rows before the first step of a resumed run, so that its file holds the whole run. */
  private async copyRows(earlier: string, firstStep: number): Promise<void> {
    try {
      for await (const record of readWandbLog(earlier)) {
        if (record.type !== 'history' || record.step >= firstStep || record.step <= this.lastStep) continue;
        this.log!.append(record);
        this.lastStep = record.step;
      }
    } catch (error) {
      this.warn(
        `Expected to read ${earlier}, the file of this run before it was resumed, but ${String(error)}.`,
      );
    }
  }

  private addToRow(step: number, values: Record<string, number>): void {
    if (step <= this.lastStep) return;
    this.row ??= { step, values: {} };
    Object.assign(this.row.values, values);
  }

  private writeRow(): void {
    if (this.row === undefined) return;
    const { step, values } = this.row;
    this.row = undefined;
    this.lastStep = step;
    this.defineMetrics(Object.keys(values));
    const row = {
      ...values,
      [stepMetric]: step,
      _step: step,
      _timestamp: Date.now() / 1000,
      _runtime: this.runtime(),
    };
    const items = jsonItems(row);
    this.log!.append({ type: 'history', step, items });
    this.addToSummary(row);
  }

  /** Says of each metric that it is plotted over the optimizer steps, when it first comes. */
  private defineMetrics(names: readonly string[]): void {
    for (const name of names) {
      if (this.defined.has(name)) continue;
      this.defined.add(name);
      this.log!.append({ type: 'metric', name, stepMetric, isExpanded: true });
    }
  }

  private addToSummary(values: Record<string, number>): void {
    Object.assign(this.summary, values);
    this.log!.append({ type: 'summary', items: jsonItems(values) });
  }

  private end(event: EndEvent): void {
    this.exitCode = 0;
    this.writeRow();
    this.addToSummary(summaryMetrics(event));
  }

  private writeSystemMetrics(): void {
    this.log?.append({ type: 'stats', time: Date.now() / 1000, items: jsonItems(this.metrics.measure()) });
  }

  private printed(stream: 'stderr' | 'stdout', line: string): void {
    const text = this.clean(line);
    if (this.output.length < maxOutputLines) this.output.push(text);
    this.log?.append({ type: 'output', stream, time: Date.now() / 1000, line: `${text}\n` });
  }

  /** The run's configuration as the server keeps it, with what the official client adds about itself. */
  private configFile(): Record<string, { value: unknown }> {
    const { run, environment } = this;
    const values = Object.entries(run!.config).map(([key, json]) => [
      key,
      { value: JSON.parse(json) as unknown },
    ]);
    const defined = [...this.defined].map((name) => ({ '1': name, '5': 1, '6': [1, 3], '7': [] }));
    const metrics = [{ '1': stepMetric, '6': [3], '7': [] }, ...defined];
    const own = {
      m: metrics,
      e: { [this.writerId]: environmentFile(environment!) },
      t: { '13': `${process.platform}-${process.arch}` },
    };
    return { ...(Object.fromEntries(values) as Record<string, { value: unknown }>), _wandb: { value: own } };
  }

  /** What is stored with the run at its end. */
  private files(yaml: (value: unknown) => string): Record<string, string> {
    const summary = { ...this.summary, _wandb: { runtime: Math.round(this.runtime()) } };
    return {
      'config.yaml': yaml(this.configFile()),
      'wandb-metadata.json': JSON.stringify(environmentFile(this.environment!)),
      'wandb-summary.json': JSON.stringify(summary),
      ...(this.output.length > 0 ? { 'output.log': `${this.output.join('\n')}\n` } : {}),
    };
  }

  private address({ entity, project, name }: WandbBucket): string {
    const { baseUrl } = this.settings;
    const app = baseUrl === 'https://api.wandb.ai' ? 'https://wandb.ai' : baseUrl;
    return `${app}/${[entity, project].map(encodeURIComponent).join('/')}/runs/${encodeURIComponent(name)}`;
  }

  private folder(): string {
    return join(this.log!.path, '..');
  }

  private runtime(): number {
    return Date.now() / 1000 - this.run!.startTime;
  }

  private clean(text: string): string {
    const { apiKey } = this.settings;
    const clean = redactSecrets(text);
    return apiKey === undefined ? clean : clean.replaceAll(apiKey, '[redacted]');
  }

  private warn(message: string): void {
    const warning = { type: 'warning', code: 'WANDB', message: this.clean(message) } as const;
    if (this.options.onWarning) this.options.onWarning(warning);
    else process.emitWarning(warning.message, { code: warning.code });
  }

  private note(message: string): void {
    const text = this.clean(message);
    if (this.options.onNote) this.options.onNote(text);
    else process.stderr.write(`${text}\n`);
  }
}

/** Lines of output that are kept in memory for the file that is stored at the end; the log holds all. */
const maxOutputLines = 100_000;

function jsonItems(values: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(
    // The official client writes what JSON lacks as text.
    Object.entries(values).map(([key, value]) => [
      key,
      JSON.stringify(Number.isFinite(value) ? value : String(value)),
    ]),
  );
}
