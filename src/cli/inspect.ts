import { checkWritable } from '../common/check-writable.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import { inspectDatasets } from '../inspect/inspect-datasets.js';
import { InspectPage } from '../inspect/inspect-page.js';
import { untilInterrupted } from './abort-on-signals.js';
import { inspectText } from './inspect-text.js';

export interface InspectOptions {
  rows: number;
  page?: string;
  json?: boolean;
}

/** Looks at the datasets of a configuration with a model and prints what was found. */
export async function inspect(
  model: string,
  input: unknown,
  { rows, page: file, json }: InspectOptions,
): Promise<void> {
  const page = file === undefined ? undefined : new InspectPage();
  if (file !== undefined) await checkWritable(file);
  // No type can promise what a file holds; inspectDatasets checks all of it.
  const report = await untilInterrupted((signal) =>
    inspectDatasets(model, input as TrainAdaptivelyOptions, { rows, signal, whileOpen: page?.whileOpen }),
  );
  if (file !== undefined) await page?.write(report, file);
  console.log(json ? JSON.stringify(report, null, 2) : inspectText(report));
  if (file !== undefined) console.error(`page ${file}`);
}
