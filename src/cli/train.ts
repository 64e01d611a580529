import { isPlainObject } from '../common/is-plain-object.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { MixProgress } from '../events/dataset-report.js';
import type { HubEvent } from '../events/hub-event.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { hubPrinter } from '../trackers/terminal/hub-printer.js';
import { finalEvaluation } from '../trackers/final-evaluation.js';
import { ProgressBar } from '../trackers/terminal/progress-bar.js';
import { renderSummary } from '../trackers/terminal/summary.js';
import { redactSecrets } from '../common/redact-secrets.js';
import type { EndEvent, EvaluateEvent, TrainingEvent } from '../events/training-event.js';
import { snakeCase } from '../common/snake-case.js';
import { parseCommand } from './parse-command.js';
import { readConfigFile } from './read-config-file.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer train <config.json> [--resume | --overwrite] [--json]

Trains as the configuration says and prints the folder of the finished model. The configuration holds the arguments
of trainAdaptively, in camelCase or in the snake_case of the Python package. Paths in it (the model, datasets, the
output folder) are relative to the current directory, not to the configuration.

An output folder that holds another run is left alone, and the command fails, unless one of these is given:

  --resume     go on from the newest whole checkpoint in the output folder
  --overwrite  start over: delete the checkpoints that are there, replace the final model

  --json       print every event of the run as one line of JSON on standard output, and no progress bar

Ctrl-C stops the run after the step it is in and saves a checkpoint; a second Ctrl-C stops it at once.`;

const interrupted = 130;

interface Training {
  trainAdaptively(
    options: TrainAdaptivelyOptions,
    hooks: {
      progress: boolean;
      onEvent: (event: TrainingEvent) => void;
      onHub: (event: HubEvent) => void;
      onData?: (progress: MixProgress) => void;
      onNote?: (text: string) => void;
      signal: AbortSignal;
    },
  ): Promise<string>;
}

/**
 * `adaptive-trainer train <config.json> [--json]`. Resolves to the exit status.
 * @param load gives what trains. Default: this library, loaded only once the configuration could be read
 */
export async function runTrain(
  argv: readonly string[],
  load: () => Promise<Training> = () => import('../train-adaptively.js'),
): Promise<number> {
  const { flags, file } = parseCommand(argv, ['json', 'resume', 'overwrite'], help);
  if (flags.help) {
    console.log(help);
    return 0;
  }
  if (flags.resume && flags.overwrite)
    throw new UsageError('Expected --resume or --overwrite but received both.', help);
  let config = await readConfigFile(file);
  if (flags.resume) config = withSetting(config, 'resumeFromCheckpoint');
  if (flags.overwrite) config = withSetting(config, 'overwriteOutputDir');
  const { trainAdaptively } = await load();
  const view = flags.json ? jsonView() : personView();
  const { signal, release } = abortOnSignals();
  try {
    // No type can promise what a file holds; trainAdaptively checks all of it.
    const { close: _close, ...hooks } = view;
    // The view shows the progress itself.
    const model = await trainAdaptively(config as TrainAdaptivelyOptions, {
      ...hooks,
      progress: false,
      signal,
    });
    await view.close();
    if (!flags.json) console.log(model);
    return 0;
  } catch (error) {
    await view.close();
    if (!signal.aborted || !AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
    console.error(error.message);
    if (error.details.checkpoint !== undefined)
      console.error(`To go on: adaptive-trainer train ${file} --resume`);
    return interrupted;
  } finally {
    release();
  }
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

function abortOnSignals(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(interrupted);
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
