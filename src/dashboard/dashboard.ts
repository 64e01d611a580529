import { redactSecrets } from '../common/redact-secrets.js';
import type { Tracker } from '../events/tracker.js';
import type { StartEvent, TrainingEvent } from '../events/training-event.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { RunningTrainer, TrainerCallback } from '../trainer/trainer-callback.js';
import { askModel, promptOf } from './ask-model.js';
import type { DashboardActions, DashboardServer } from './dashboard-server.js';
import { EventStream } from './event-stream.js';
import { ShownRun } from './shown-run.js';

/** What a run does, as its page shows it. */
export type DashboardState =
  'preparing' | 'running' | 'pausing' | 'paused' | 'answering' | 'stopping' | 'ended';

export interface DashboardOptions {
  /** Folder of the run: a page that is opened late reads there what came before. */
  outputDir: string;
  /** Port of 127.0.0.1. Default: any that is free. */
  port?: number | undefined;
}

/**
 * A page on a loopback address that shows a run as it goes on, and its buttons: pause, resume, save now, stop with a
 * checkpoint, ask the model as it is at this moment. Closing the page changes nothing. Give it to a trainer as a callback and
 * as a tracker, and its `signal` too:
 *
 * @example
 * const dashboard = await Dashboard.open({ outputDir: './out' });
 * console.log(dashboard.url);
 * const watching = { callbacks: [dashboard], trackers: [dashboard], signal: dashboard.signal };
 * await new AdaptiveTrainer({ model, tokenizer, trainDataset, outputDir: './out', ...watching }).train();
 */
export class Dashboard implements Tracker, TrainerCallback {
  readonly name = 'The dashboard';
  private readonly events = new EventStream();
  private readonly stopping = new AbortController();
  private trainer: RunningTrainer | undefined;
  private server: DashboardServer | undefined;
  private state: DashboardState = 'preparing';

  private constructor(private readonly run: ShownRun) {
    this.tell('preparing');
  }

  /** @throws AdaptiveTrainerError IO_FAILED for a port that cannot be listened on */
  static async open({ outputDir, port = 0 }: DashboardOptions): Promise<Dashboard> {
    const run = await ShownRun.open(outputDir);
    const dashboard = new Dashboard(run);
    const { events } = dashboard;
    const page = (live: { eventsUrl: string; token: string }) => run.page(live);
    // Node's HTTP server is loaded when there is something to serve.
    const { DashboardServer } = await import('./dashboard-server.js');
    dashboard.server = await DashboardServer.open({ port, page, events, actions: dashboard.actions });
    return dashboard;
  }

  /** Where the page is. Holds a token, new for each dashboard: who has the address can stop the run. */
  get url(): string {
    return this.server!.url;
  }

  /** Aborted by the page's button that stops the run. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  onStart(_event: StartEvent, trainer: RunningTrainer): void {
    this.trainer = trainer;
    this.tell('running');
  }

  onEvent(event: TrainingEvent): void {
    const told = { time: new Date().toISOString(), ...event };
    this.run.add(told);
    this.events.send(redactSecrets(JSON.stringify(told)));
    if (event.type === 'end' || event.type === 'aborted' || event.type === 'error') this.trainer = undefined;
  }

  async close(): Promise<void> {
    this.trainer = undefined;
    this.tell('ended');
    await this.server?.close();
  }

  private readonly actions: DashboardActions = {
    pause: async () => {
      const { control } = this.running();
      control.pause();
      this.tell('pausing');
      // Once this has its turn, the run waits.
      control.betweenSteps(async () => this.tellWaiting()).catch(() => {});
      return {};
    },
    resume: async () => {
      this.running().control.resume();
      this.tell('running');
      return {};
    },
    save: async () => {
      const path = await this.running().save();
      if (path !== undefined) return { path };
      const message = 'No checkpoint was written: a warning of the run says why, or it has no output folder.';
      throw new AdaptiveTrainerError('IO_FAILED', message);
    },
    stop: async () => {
      if (this.state !== 'preparing') this.running();
      this.tell('stopping');
      this.stopping.abort();
      return {};
    },
    ask: async (body, signal) => {
      const prompt = promptOf(body);
      const { control, model, tokenizer } = this.running();
      return control.betweenSteps(async () => {
        const started = performance.now();
        this.tell('answering');
        const answer = await askModel(model, tokenizer, prompt, signal).finally(() => this.tellWaiting());
        return { answer, seconds: (performance.now() - started) / 1000 };
      });
    },
  };

  private running(): RunningTrainer {
    const { trainer } = this;
    if (trainer !== undefined) return trainer;
    const message = `Expected a run that is under way, found one that ${this.state === 'preparing' ? 'has not begun' : 'has ended'}.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  }

  private tellWaiting(): void {
    if (this.state !== 'stopping') this.tell(this.trainer?.control.isPaused === true ? 'paused' : 'running');
  }

  private tell(state: DashboardState): void {
    this.state = state;
    this.events.tellState(JSON.stringify({ state }));
  }
}
