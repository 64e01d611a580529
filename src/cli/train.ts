import { isPlainObject } from '../common/is-plain-object.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { MixProgress } from '../events/dataset-report.js';
import type { HubEvent } from '../events/hub-event.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { hubPrinter } from '../trackers/terminal/hub-printer.js';
import { finalEvaluation } from '../trackers/final-evaluation.js';
import { ProgressBar } from '../trackers/terminal/progress-bar.js';
import { readLaunch, type Launch } from '../ranks/launch.js';
import type { trainAdaptively } from '../train-adaptively.js';
import { renderSummary } from '../trackers/terminal/summary.js';
import { redactSecrets } from '../common/redact-secrets.js';
import type { EndEvent, EvaluateEvent, TrainingEvent } from '../events/training-event.js';
import { snakeCase } from '../common/snake-case.js';
import { ExitStatus } from './exit-status.js';

const interrupted = 130;

export interface TrainOptions {
  resume?: boolean;
  overwrite?: boolean;
  json?: boolean;
  dryRun?: boolean;
  /** With a dry run: bytes of the GPU that is planned for. */
  deviceMemory?: number;
  dashboard?: boolean;
  /** Asks for the dashboard, too. */
  dashboardPort?: number;
}

/** Gives what trains. */
export type LoadTraining = () => Promise<{ trainAdaptively: typeof trainAdaptively }>;

/**
 * Trains as a configuration says and prints the folder of the finished model.
 * @param file where it was read from, for the advice on how to go on
 * @param load gives what trains
 * @throws ExitStatus 130 where the run was interrupted
 */
export async function train(
  file: string,
  input: unknown,
  { json = false, resume, overwrite, dashboard, dashboardPort }: TrainOptions,
  load: LoadTraining,
): Promise<void> {
  const config = withFlags(input, { resume, overwrite });
  const { trainAdaptively } = await load();
  const { close, ...view } = json ? jsonView() : personView();
  const launch = readLaunch();
  const isFirst = (launch?.rank ?? 0) === 0;
  const { signal, release } = abortOnSignals(launch);
  // The view shows the progress itself.
  const hooks = {
    ...view,
    progress: false,
    signal,
    dashboard: dashboardPort === undefined ? dashboard : { port: dashboardPort },
  };
  try {
    // No type can promise what a file holds; trainAdaptively checks all of it.
    const model = await trainAdaptively(config as TrainAdaptivelyOptions, hooks);
    await close();
    if (!json && isFirst) console.log(model);
  } catch (error) {
    await close();
    if (!AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
    if (!isFirst) throw new ExitStatus(interrupted);
    console.error(error.message);
    if (error.details.checkpoint !== undefined)
      console.error(`To go on: adaptive-trainer train ${file} --resume`);
    throw new ExitStatus(interrupted);
  } finally {
    release();
  }
}

/** The configuration with what --resume and --overwrite ask for. */
export function withFlags(input: unknown, { resume, overwrite }: TrainOptions): unknown {
  if (resume) return withSetting(input, 'resumeFromCheckpoint');
  return overwrite ? withSetting(input, 'overwriteOutputDir') : input;
}

/** The configuration with a setting of its training turned on, in the spelling it uses. */
function withSetting(config: unknown, setting: 'resumeFromCheckpoint' | 'overwriteOutputDir'): unknown {
  if (!isPlainObject(config)) return config;
  const group = 'training_config' in config ? 'training_config' : 'trainingConfig';
  const training = isPlainObject(config[group]) ? config[group] : {};
  const isSnake = group === 'training_config' || snakeCase(setting) in training;
  return { ...config, [group]: { ...training, [isSnake ? snakeCase(setting) : setting]: true } };
}

interface View {
  onEvent: (event: TrainingEvent) => void;
  onHub: (event: HubEvent) => void;
  onData?: (progress: MixProgress) => void;
  onNote?: (text: string) => void;
  close: () => Promise<void>;
}

function jsonView(): View {
  const print = (event: TrainingEvent | HubEvent) =>
    void process.stdout.write(`${redactSecrets(JSON.stringify(event))}\n`);
  return {
    onEvent: print,
    onHub: print,
    onNote: (text) => console.error(text),
    close: async () => {},
  };
}

function personView(): View {
  const bar = new ProgressBar();
  const data = dataPrinter();
  const evaluations: EvaluateEvent[] = [];
  let end: EndEvent | undefined;
  return {
    onHub: hubPrinter(),
    onData: data.onProgress,
    onNote: (text) => bar.note(text),
    onEvent(event) {
      data.clear();
      if (event.type === 'evaluate') evaluations.push(event);
      if (event.type === 'end') end = event;
      bar.onEvent(event);
    },
    async close() {
      data.clear();
      await bar.close();
      if (end !== undefined) console.error(`\n${renderSummary(end, finalEvaluation(evaluations, end))}\n`);
    },
  };
}

/** A launcher passes on a signal that the terminal has sent to every rank already: one soon after the first is not the user's. */
const echoMs = 5000;

function abortOnSignals(launch: Launch | undefined): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  let first = 0;
  const stop = () => {
    if (controller.signal.aborted) {
      if (launch !== undefined && performance.now() - first < echoMs) return;
      process.exit(interrupted);
    }
    first = performance.now();
    if ((launch?.rank ?? 0) === 0)
      console.error('\nStopping after this step. Press Ctrl-C again to stop at once.');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const release = () => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  };
  return { signal: controller.signal, release };
}
