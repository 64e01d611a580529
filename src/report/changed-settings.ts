import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../config/read/parse-config.js';
import { isPlainObject } from '../common/is-plain-object.js';
import type { RunConfiguration } from '../events/training-event.js';
import type { ChangedSetting } from './run-report.js';

const groups = ['trainingConfig', 'adaptiveLossConfig', 'peftConfig', 'uploadConfig'] as const;

// Where and under what name it ran is told elsewhere.
const ownAffairs = ['runName', 'resumeFromCheckpoint', 'overwriteOutputDir'];

/** What differs from the defaults in a configuration as `start` events hold it. */
export function changedSettings(config: RunConfiguration): ChangedSetting[] {
  return groups.flatMap((group) => {
    const values = config[group];
    if (!isPlainObject(values)) return [];
    const defaults = defaultsOf(group, values);
    return Object.entries(values)
      .filter(([key, value]) => !ownAffairs.includes(key) && !isDeepStrictEqual(value, defaults[key] ?? null))
      .map(([key, value]) => ({ group, key, value, default: defaults[key] ?? null }));
  });
}

/** Some defaults follow from another key. */
function defaultsOf(
  group: (typeof groups)[number],
  values: Record<string, unknown>,
): Record<string, unknown> {
  const { batchSize } = values;
  const config = parseConfig(
    {
      modelName: 'model',
      outputDir: 'out',
      datasetsConfig: { ideas: ['rows'] },
      peftConfig: {},
      ...(group === 'trainingConfig' && typeof batchSize === 'number'
        ? { trainingConfig: { batchSize } }
        : {}),
    },
    {},
  );
  const defaults = JSON.parse(JSON.stringify(config[group])) as Record<string, unknown>;
  if (group === 'trainingConfig') defaults['batchSize'] = usualBatchSize();
  return defaults;
}

function usualBatchSize(): number {
  const usual = { modelName: 'model', outputDir: 'out', datasetsConfig: { ideas: ['rows'] } };
  return parseConfig(usual, {}).trainingConfig.batchSize;
}
