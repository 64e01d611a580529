import { isPlainObject } from '../../common/is-plain-object.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../schema/parsed-config.js';
import { configPath } from './config-path.js';
import type { ConfigReader } from './config-reader.js';
import { isParsed } from './parsed.js';
import { automatic } from './read-retention.js';

interface Parts {
  trainingConfig: TrainingConfig | undefined;
  adaptiveLossConfig: AdaptiveLossConfig | undefined;
}

/**
 * The training configuration where the bound of the loss' is known, too: `maxKlDivergence` needs `retention`.
 * @param training the training configuration as it was given
 * @param lossPath where the loss' configuration stands
 */
export function withRetention(
  reader: ConfigReader,
  { trainingConfig, adaptiveLossConfig }: Parts,
  training: unknown,
  lossPath: string,
): TrainingConfig | undefined {
  const bound = adaptiveLossConfig?.maxKlDivergence ?? null;
  if (bound === null || trainingConfig === undefined || trainingConfig.retention !== null)
    return trainingConfig;
  if (isPlainObject(training) && !isParsed(training) && training['retention'] === false) {
    const path = configPath(lossPath, reader.spell('maxKlDivergence'));
    const message =
      'expected none with "retention" false, since it bounds forgetting by way of retention, received one; remove one of the two';
    reader.faults.push({ path, code: 'CONTRADICTION', message });
  }
  return { ...trainingConfig, retention: automatic };
}
