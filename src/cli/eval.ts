import { checkWritable } from '../common/check-writable.js';
import type { TrainAdaptivelyOptions } from '../config/schema/train-adaptively-options.js';
import { evaluateModel } from '../inspect/evaluate-model.js';
import { EvalPage } from '../inspect/eval-page.js';
import { untilInterrupted } from './abort-on-signals.js';
import { evalText } from './eval-text.js';

export interface EvalOptions {
  against?: string;
  rows: number;
  page?: string;
  json?: boolean;
}

/** Evaluates a model and prints what was found. */
export async function evaluate(
  model: string,
  input: unknown,
  { against, rows, page: file, json }: EvalOptions,
): Promise<void> {
  const page = file === undefined ? undefined : new EvalPage();
  if (file !== undefined) await checkWritable(file);
  // No type can promise what a file holds; evaluateModel checks all of it.
  const report = await untilInterrupted((signal) =>
    evaluateModel(model, input as TrainAdaptivelyOptions, {
      against,
      rows,
      signal,
      whileOpen: page?.whileOpen,
    }),
  );
  if (file !== undefined) await page?.write(report, file);
  console.log(json ? JSON.stringify(report, null, 2) : evalText(report));
  if (file !== undefined) console.error(`page ${file}`);
}
