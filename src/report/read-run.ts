import { createReadStream, existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { errorText } from '../common/error-text.js';
import { isPlainObject } from '../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../errors.js';
import { isTrainedInto } from '../trainer/output-dir/lock-output-dir.js';
import { addEvent, emptyRun, type RecordedEvent } from './add-event.js';
import { changedSettings } from './changed-settings.js';
import { readInspection } from './read-inspection.js';
import type { RunReport } from './run-report.js';

/**
 * Reads what a run left in its output folder: `metrics.jsonl` and `inspection/`. The run may still go on, or have been killed,
 * aborted or resumed; half a line at the end is passed over. Of several runs that wrote to the folder, the last one is read.
 *
 * @param outputDir relative to the current directory
 * @throws AdaptiveTrainerError IO_FAILED where there is no `metrics.jsonl`, or it holds no event
 */
export async function readRun(outputDir: string): Promise<RunReport> {
  const file = join(outputDir, 'metrics.jsonl');
  if (!existsSync(file)) throw nothingThere(file, 'there is none');
  const label = basename(resolve(outputDir));
  const run = await lastRun(file, label, outputDir);
  if (run.start !== undefined) run.changed = changedSettings(run.start.config);
  if (run.outcome === undefined) {
    const goesOn = await isTrainedInto(outputDir);
    run.state = goesOn ? (run.start === undefined ? 'preparing' : 'running') : 'broken off';
  }
  try {
    Object.assign(run, await readInspection(join(outputDir, 'inspection'), run.notes));
  } catch (error) {
    run.notes.push(`The inspection could not be read: ${errorText(error)}.`);
  }
  return run;
}

async function lastRun(file: string, label: string, folder: string): Promise<RunReport> {
  let run = emptyRun(label, folder);
  let events = 0;
  let unreadable = 0;
  // Lines of a run that did not get as far as its start name none.
  let early: RecordedEvent[] = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const event = parse(line);
    if (event === undefined) {
      if (line.trim() !== '') unreadable++;
      continue;
    }
    events++;
    if (event.run === undefined) {
      early.push(event);
      continue;
    }
    if (event.run !== run.runId) run = { ...emptyRun(label, folder), runId: event.run };
    early = [];
    addEvent(run, event);
  }
  if (events === 0) throw nothingThere(file, 'it holds no event');
  if (run.runId === undefined) for (const event of early) addEvent(run, event);
  else tellOfAttempt(run, early);
  // The last line of a run that goes on, or was killed, may be half written.
  if (unreadable > 1) run.notes.push(`${unreadable} lines of ${file} are no JSON and were passed over.`);
  return run;
}

/** A later attempt in the same folder, which ended before its first step. */
function tellOfAttempt(run: RunReport, events: readonly RecordedEvent[]): void {
  const failure = events.find((event) => event.type === 'error' || event.type === 'aborted');
  if (failure === undefined) return;
  run.notes.push(`A later attempt in this folder ended before its first step: ${failure.message}`);
}

function parse(line: string): RecordedEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isPlainObject(value) && typeof value['type'] === 'string'
      ? (value as unknown as RecordedEvent)
      : undefined;
  } catch {
    return undefined;
  }
}

function nothingThere(path: string, found: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'IO_FAILED',
    `Expected the metrics of a run at ${path}, but ${found}. Name the output folder of a run (output_dir of its configuration).`,
    { details: { path } },
  );
}
