import type { EndEvent } from '../events/training-event.js';
import { checkSameWindow } from './batches/check-same-rows.js';
import { checkWindow } from './batches/check-window.js';
import { isRowArray } from './batches/is-row-array.js';
import { noRows } from './batches/one-pass.js';
import { settingsOfAll } from './batches/rank-part.js';
import { windowsLeft, windowsOfEpoch, type RowOrder } from './batches/windows-left.js';
import type { RunHost } from './run-host.js';
import type { RunParts } from './run-parts.js';
import { saveHere, whileGathered, writeHere } from './save-here.js';
import { StepTrace } from './step/step-trace.js';

/**
 * Takes a prepared run from the step that it is at to its end.
 * @param started when it did, as performance.now() has it
 */
export async function runToEnd(host: RunHost, parts: RunParts, started: number): Promise<EndEvent> {
  const { args, options } = host;
  const { run, agreement, checkpoints } = parts;
  const { progress } = run;
  await agreement.agree(progress);
  host.control.begin();
  if (args.evalOnStart && progress.step === 0 && options.evalDataset !== undefined) await host.evaluate();
  if (checkpoints.best.isPatienceOver) host.stop();
  parts.trace = await StepTrace.begin(host.model, host.ranks);
  while (!progress.isOver) await trainEpoch(host, parts);
  await parts.trace?.write();
  await throwIfAborted(host, parts);
  run.checkTrained();
  if (isLastSaveDue(host, parts)) await saveHere(host, parts);
  if (run.log.hasRecent) await host.emit(run.log.takeLog());
  const { best, path } = await finish(host, parts);
  const { isPatienceOver: stoppedEarly } = checkpoints.best;
  const end = run.end({ path, best, stoppedEarly, seconds: (performance.now() - started) / 1000 });
  await host.emit(end);
  return end;
}

/** What is left of the pass over the rows that the run is in. */
async function trainEpoch(host: RunHost, parts: RunParts): Promise<void> {
  const { args, options, hasOwnOrder, trainBatches } = host;
  const { run, agreement, checkpoints } = parts;
  const { progress } = run;
  const { trainDataset: rows, evalDataset } = options;
  const order: RowOrder = { rows, args: settingsOfAll(args, host.ranks.size), hasOwnOrder, trainBatches };
  let isWhole = true;
  for await (const window of windowsLeft(order, progress)) {
    await throwIfAborted(host, parts);
    checkWindow(window, progress.step + 1, host.model);
    if (host.ranks.size > 1 && (hasOwnOrder || !isRowArray(rows)))
      await checkSameWindow(window, progress.step + 1, host.ranks);
    const rate = host.learningRate(progress.step);
    const events = await run.step(window, rate, () => host.trainStep(window, rate));
    parts.trace = await parts.trace?.afterStep();
    for (const event of events) await host.emit(event);
    const fewer = await parts.keeper?.warning(progress.step);
    if (fewer !== undefined) await host.emit(fewer);
    await host.afterStep();
    // Whoever waits there may be asked to save.
    await agreement.passControl(progress, (work) => whileGathered(host, parts, work));
    if (!progress.isOver) continue;
    isWhole = progress.position.windowsDone === windowsOfEpoch(order, progress);
    break;
  }
  const { epochIndex, windowsDone } = progress.position;
  if (windowsDone === 0) throw noRows(rows, 'trainDataset', `epoch ${epochIndex}`);
  if (progress.wasStopped) return;
  // The rest of an epoch that was cut short is left for a longer run.
  if (isWhole) progress.endEpoch();
  const isEvaluationDue = args.evalStrategy === 'epoch' && progress.epoch >= args.evalDelay;
  const evaluates = isEvaluationDue && evalDataset !== undefined;
  if (evaluates) await host.evaluate();
  const isBest = evaluates && args.saveStrategy === 'best' && checkpoints.best.lastIsBest;
  if (isBest || args.saveStrategy === 'epoch') await saveHere(host, parts);
  if (checkpoints.best.isPatienceOver) host.stop();
}

async function throwIfAborted(host: RunHost, parts: RunParts): Promise<void> {
  const { ranks, options, model } = host;
  const { run, agreement } = parts;
  if (!agreement.aborted) return;
  const saved = await whileGathered(host, parts, () =>
    ranks.together(async () => (run.progress.step > 0 ? writeHere(host, parts) : undefined)),
  );
  await model.call((native) => native.endSharing());
  const checkpoint = ranks.size === 1 ? saved : (await ranks.fromFirst(saved)) || undefined;
  throw run.aborted(options.signal?.reason, checkpoint);
}

/** A longer run can go on from the end of this one. */
function isLastSaveDue({ args }: RunHost, { checkpoints, savedStep, run }: RunParts): boolean {
  const { saveStrategy } = args;
  if (saveStrategy === 'no' || saveStrategy === 'best' || checkpoints.best.isPatienceOver) return false;
  return savedStep !== run.progress.step;
}

/** What rank 0 writes once the last step is done. */
async function finish(
  { ranks, model, args, saveFinalModel }: RunHost,
  { checkpoints, inspection }: RunParts,
): Promise<{ best: EndEvent['best']; path: string }> {
  await model.call((native) => native.endSharing());
  const written = await ranks.together(async () => {
    if (!ranks.isFirst) return undefined;
    const best = args.loadBestModelAtEnd ? await checkpoints.loadBest() : undefined;
    const path = await saveFinalModel();
    await inspection?.end(() => checkpoints.checkLock());
    return { best, path };
  });
  if (ranks.size === 1) return written!;
  return JSON.parse(await ranks.fromFirst(JSON.stringify(written))) as {
    best: EndEvent['best'];
    path: string;
  };
}
