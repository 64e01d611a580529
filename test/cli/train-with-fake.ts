// The train command with something quick in place of the trainer. How it ends is the configuration's `outputDir`.
import { printError } from '../../src/cli/print-error.js';
import { trainCommand } from '../../src/cli/commands/train.js';
import { runCli } from '../../src/cli/run-cli.js';
import type { TrainAdaptivelyOptions } from '../../src/config/schema/train-adaptively-options.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { events } from '../trackers/terminal/events.js';

interface Hooks {
  onEvent: (event: TrainingEvent) => void;
  signal: AbortSignal;
}

async function trainAdaptively(options: TrainAdaptivelyOptions, { onEvent, signal }: Hooks): Promise<string> {
  const ending = (options as { outputDir: string }).outputDir;
  onEvent(events.start);
  onEvent(events.step(10));
  onEvent(events.log(10));
  if (ending === 'fails')
    throw new AdaptiveTrainerError('LOSS_NOT_FINITE', 'Expected a finite loss but found NaN.');
  if (ending === 'breaks') throw new TypeError('unforeseen');
  if (ending === 'waits') await abortion(signal);
  if (ending === 'hangs') await new Promise((resolve) => setTimeout(resolve, 60_000));
  onEvent(events.evaluate);
  onEvent(events.end);
  return 'out/final_model';
}

function abortion(signal: AbortSignal): Promise<never> {
  const busy = setInterval(() => {}, 1000);
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      clearInterval(busy);
      reject(new AdaptiveTrainerError('ABORTED', 'The run was aborted after step 10.'));
    });
  });
}

try {
  process.exitCode = await runCli(
    process.argv.slice(2),
    trainCommand(async () => ({ trainAdaptively: trainAdaptively as never })),
  );
} catch (error) {
  process.exitCode = printError(error);
}
