import { packageVersion } from '../common/package-version.js';
import { isPlainObject } from '../common/is-plain-object.js';
import { redactSecrets } from '../common/redact-secrets.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import { loadAddon } from '../engine/load/load-addon.js';
import type { RunConfiguration, RunVersions, StartEvent } from '../events/training-event.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import type { EngineReport } from './step/prepare-engine.js';
import type { RunProgress } from './run-progress.js';
import { rowLength } from '../data/mix/row-list.js';
import { isRowArray } from './batches/is-row-array.js';
import type { TrainingRows } from './batches/training-rows.js';

/** The event for the start of a run. */
export function startEvent(
  options: AdaptiveTrainerOptions,
  { args, adaptiveLoss }: { args: TrainingConfig; adaptiveLoss: AdaptiveLossConfig },
  { totalSteps: steps, plannedEpochs: epochs }: RunProgress,
  facts: EngineReport & Pick<StartEvent, 'runId' | 'resumedFrom'>,
): StartEvent {
  const { trainDataset, evalDataset, outputDir = '', model, config } = options;
  const whole = {
    modelName: model.dir,
    outputDir,
    peftConfig: model.adapter?.config ?? null,
    ...config,
    trainingConfig: args,
    adaptiveLossConfig: adaptiveLoss,
  };
  return {
    type: 'start',
    runName: args.runName,
    outputDir,
    config: plain(whole) as RunConfiguration,
    versions: versions(),
    steps,
    epochs,
    ...countRows(trainDataset, evalDataset),
    ...facts,
  };
}

function versions(): RunVersions {
  const { libtorch, cpuCapability } = loadAddon();
  const platform = `${process.platform}-${process.arch}`;
  return {
    adaptiveTrainer: packageVersion(),
    libtorch,
    node: process.versions.node,
    platform,
    cpuCapability,
  };
}

/**
 * A copy of a configuration that survives JSON and holds no access tokens; rows in memory become their number.
 * @param path the objects that it is in
 */
function plain(value: unknown, key = '', path: readonly unknown[] = []): unknown {
  if (typeof value === 'string') return redactSecrets(value);
  if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`;
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (path.includes(value)) return '[itself]';
  // Trackers, signals and the like are no settings, and may hold keys.
  if (!Array.isArray(value) && !isPlainObject(value)) return `[${value.constructor?.name ?? 'object'}]`;
  const inside = [...path, value];
  if (Array.isArray(value)) {
    if (key === 'train' || key === 'eval') return `[${value.length} rows]`;
    return value.map((item) => plain(item, '', inside));
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item, name, inside)]));
}

/** The counts of rows and tokens in the start event; 0 and absent for streams. */
function countRows(
  train: TrainingRows,
  evaluation: TrainingRows | undefined,
): Pick<StartEvent, 'trainRows' | 'evalRows' | 'tokensPerEpoch'> {
  const lengthOf = (rows: TrainingRows | undefined) => (rows && isRowArray(rows) ? rows.length : 0);
  const counts = { trainRows: lengthOf(train), evalRows: lengthOf(evaluation) };
  if (!isRowArray(train)) return counts;
  let tokensPerEpoch = 0;
  for (let row = 0; row < train.length; row++) tokensPerEpoch += rowLength(train, row);
  return { ...counts, tokensPerEpoch };
}
