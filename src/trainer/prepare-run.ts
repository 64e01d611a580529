import { hasDefaultPrecision } from '../config/read/default-precision.js';
import type { TrainingConfig } from '../config/schema/parsed-config.js';
import type { TextsEvent, TrainingEvent, WarningEvent } from '../events/training-event.js';
import { stopAtEndOfTurn } from '../model/generation/stop-at-end-of-turn.js';
import { compareRanks } from '../ranks/compare-ranks.js';
import { inTurns } from '../ranks/in-turns.js';
import { replacedThreads, threadShare } from '../ranks/thread-share.js';
import { isRowArray } from './batches/is-row-array.js';
import { longRowsNote } from './batches/long-rows-note.js';
import { settingsOfAll } from './batches/rank-part.js';
import { checkAllRows } from './check-options.js';
import { openCheckpoints, resumeCheckpoint } from './checkpoint/checkpoints-of-ranks.js';
import { hashRows } from './checkpoint/hash-rows.js';
import type { Fingerprint } from './checkpoint/run-state.js';
import { plannedEvaluations } from './evaluation/evaluation-due.js';
import { RunInspection } from './inspection/run-inspection.js';
import { joinModel } from './join-model.js';
import { RankAgreement } from './rank-agreement.js';
import {
  measuresForgetting,
  prepareRetention,
  pullStrength,
  type PreparedRetention,
} from './retention/prepare-retention.js';
import { pullPerRate } from './retention/pull-rate.js';
import { format } from '../common/format.js';
import { Run } from './run.js';
import type { RunHost } from './run-host.js';
import type { RunParts } from './run-parts.js';
import { sampleRows } from './sample-rows.js';
import { startEvent } from './start-event.js';
import { engineTypes } from './step/engine-types.js';
import { frozenNames } from './step/freezing.js';
import { prepareEngine, type EngineReport } from './step/prepare-engine.js';
import { planRun } from './step/run-plan.js';
import { runWarnings } from './step/run-warnings.js';

/**
 * Makes a run ready for its first step: its folder, the engine, what the model is held to, the checkpoint it goes on from.
 * `parts` hold each as soon as it is there, so that a run that fails here can be ended.
 */
export async function prepareRun(
  host: RunHost,
  parts: RunParts,
  resumeFrom: boolean | string | null,
): Promise<void> {
  const { model, options, ranks } = host;
  const argsOfAll = settingsOfAll(host.args, ranks.size);
  const threads = host.args.threads ?? (ranks.launch && threadShare(ranks.launch)) ?? null;
  const args = { ...host.args, threads };
  const { trainDataset } = options;
  const rows = isRowArray(trainDataset) ? trainDataset : undefined;
  const plan = planRun(rows, argsOfAll);
  parts.agreement = new RankAgreement(ranks, host.control, options.signal);
  parts.run = new Run(host, plan);
  parts.checkpoints = host.newCheckpoints();
  parts.savedStep = undefined;
  const byHost = await joinModel(model, ranks);
  await openCheckpoints(ranks, parts.checkpoints, resumeFrom);
  const { progress } = parts.run;
  await checkAllRows(options, args, progress);
  if (options.datasetReport) await host.emit({ type: 'datasets', report: options.datasetReport });
  const pull = pullStrength(args, options);
  const isMeasured = measuresForgetting(args, options, plannedEvaluations(args, progress));
  await freeze(host, parts, args);
  // The pull takes the place of weight decay.
  const pulledArgs = pull > 0 ? { ...args, weightDecay: 0 } : args;
  const engineArgs = { ...pulledArgs, evalForgetting: isMeasured };
  const { report, keeper, unpinned } = await prepareEngine(
    model,
    trainDataset,
    engineArgs,
    host.precision,
    ranks,
  );
  parts.keeper = keeper;
  const held = await inTurns(ranks, () => holdToBase(host, pull, isMeasured));
  parts.held = held;
  // Before answers are asked for: they end where those of the trained model will.
  const stopWarnings: string[] = [];
  const { tokenizer } = options;
  if (tokenizer !== undefined) stopAtEndOfTurn(model, tokenizer, (message) => stopWarnings.push(message));
  await compareRuns(host, held);
  const inspection = await ranks.together(() => beginInspection(host, parts));
  const rowsOfEpoch = host.hasOwnOrder ? undefined : rows?.length;
  const state = await resumeCheckpoint(host, parts.checkpoints, rowsOfEpoch);
  await model.call((native) => native.shareMasters());
  parts.run = new Run(host, state === undefined ? plan : planRun(rows, argsOfAll, state.since), state);
  if (state?.retention) parts.held = { ...held, retention: held.retention?.resumed(state.retention) };
  parts.inspection = inspection;
  await inspection?.write();
  const { totalSteps } = parts.run.progress;
  // learningRate() may be a user's own, which without a pull is asked once a step.
  parts.pullPerRate = pull > 0 ? pullPerRate(pull, totalSteps, (step) => host.learningRate(step)) : 0;
  for (const event of firstEvents(host, parts, { args, report, unpinned, stopWarnings, byHost }))
    await host.emit(event);
}

async function freeze({ model }: RunHost, parts: RunParts, args: TrainingConfig): Promise<void> {
  const frozen = frozenNames(args, model.weightNames);
  if (frozen === undefined) return;
  parts.frozenBefore ??= [...model.frozen];
  await model.freezeWeights(frozen);
}

async function holdToBase(host: RunHost, pull: number, isMeasured: boolean): Promise<PreparedRetention> {
  const { adaptiveLoss, options, precision, ranks } = host;
  const args = settingsOfAll(host.args, ranks.size);
  // Told in order, while the engine goes on.
  let told: Promise<void> = Promise.resolve();
  const onTexts = (event: TextsEvent) => void (told = told.then(() => host.emit(event)));
  const facts = { options, args, adaptiveLoss, ...engineTypes(precision), isMeasured, onTexts };
  const held = await prepareRetention(facts, pull);
  await told;
  return held;
}

async function beginInspection(
  { options, args, adaptiveLoss, ranks, emit }: RunHost,
  { run, checkpoints }: RunParts,
): Promise<RunInspection | undefined> {
  if (!ranks.isFirst) return undefined;
  const { resumedFrom, runId } = checkpoints.origin;
  const isResumed = resumedFrom !== undefined && resumedFrom.runId === runId;
  const epochs = run.progress.plannedEpochs;
  return RunInspection.begin({ options, args, adaptiveLoss, epochs, isResumed, emit });
}

/** Refuses ranks that would not train the same. */
async function compareRuns(host: RunHost, { retention, unmeasured }: PreparedRetention): Promise<void> {
  const { ranks, model, options, args } = host;
  if (ranks.size === 1) return;
  const { evalDataset } = options;
  const { localRank: _l, threads: _t, outputDir: _o, ...settings } = { outputDir: '', ...args };
  const named = (group: string, values: object) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`${group}.${key}`, value as unknown]));
  await compareRanks(ranks, {
    ...named('trainingConfig', settings),
    ...named('adaptiveLossConfig', host.adaptiveLoss),
    ...modelAndData(await host.fingerprint()),
    // What is really computed in: fp16 and bf16 leave that to the machine.
    precision: host.precision,
    'model.weights': await model.call((native) => native.weightsDigest()),
    'evalDataset.content':
      evalDataset !== undefined && isRowArray(evalDataset) ? await hashRows(evalDataset) : null,
    'retention.rows': retention?.digest ?? null,
    'retention.unmeasured': unmeasured ?? null,
  });
}

/** What a fingerprint has beside the settings, of which some may differ. */
function modelAndData(fingerprint: Fingerprint): Fingerprint {
  const isSetting = (key: string) => key.startsWith('args.') || key.startsWith('adaptiveLoss.');
  return Object.fromEntries(Object.entries(fingerprint).filter(([key]) => !isSetting(key)));
}

interface Prepared {
  args: TrainingConfig;
  report: EngineReport;
  unpinned: number;
  stopWarnings: readonly string[];
  byHost: WarningEvent | undefined;
}

/** What is told of a run before its first step. */
function* firstEvents(
  host: RunHost,
  { run: { progress }, checkpoints, held }: RunParts,
  { args, report, unpinned, stopWarnings, byHost }: Prepared,
): Generator<TrainingEvent, void, undefined> {
  const { options, model, ranks } = host;
  const { trainDataset, evalDataset, tokenizer, trackers = [] } = options;
  if (tokenizer && isRowArray(trainDataset)) yield sampleRows(trainDataset, tokenizer);
  yield startEvent(options, host, progress, { ...report, ...checkpoints.origin });
  for (const warning of host.configWarnings) yield { type: 'warning', ...warning };
  for (const message of stopWarnings) yield { type: 'warning', code: 'END_OF_TURN', message };
  if (held?.unmeasured !== undefined) {
    const reason = held.unmeasured.replace(/\.$/, '');
    const message = `Forgetting is not measured: ${reason}. Mend that, or set evalForgetting: false.`;
    yield { type: 'warning', code: 'FORGETTING_NOT_MEASURED', message };
  }
  if (args.zeroStage > 0 && ranks.size === 1) {
    const message = `zeroStage: ${args.zeroStage} shares out what several ranks hold; this run is one process, so it changes nothing (docs/ranks.md).`;
    yield { type: 'warning', code: 'ZERO_WITHOUT_RANKS', message };
  }
  if (unpinned > 0) {
    const message =
      `The system pins no more memory: ${format.bytes(unpinned)} of the optimizer's states lie in main memory that copies to the ` +
      'device and back wait for, so steps take longer. Raise the limit of locked memory (ulimit -l), or what the container may take.';
    yield { type: 'warning', code: 'STATES_NOT_PINNED', message };
  }
  const replaced = replacedThreads(ranks, report.threads, host.args.threads);
  if (replaced !== undefined && ranks.isFirst) yield replaced;
  if (byHost !== undefined && ranks.isFirst) yield byHost;
  yield* runWarnings(args, host.precision, {
    device: model.device,
    outputDir: ranks.isFirst ? options.outputDir : undefined,
    hasTrackers: trackers.length > 0,
    hasDefaultPrecision: hasDefaultPrecision(host.args),
    hasOwnSchedule: host.hasOwnSchedule,
    hasEvalDataset: evalDataset !== undefined,
    longRows: longRowsNote(model, trainDataset),
    progress,
  });
}
