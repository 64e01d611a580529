import type { AdaptiveLossConfig, TrainingConfig } from '../schema/parsed-config.js';
import { configPath } from './config-path.js';
import { hasDefaultPrecision, noteDefaultPrecision } from './default-precision.js';
import type { ConfigReader } from './config-reader.js';
import { automatic } from './read-retention.js';

interface Parts {
  trainingConfig: TrainingConfig | undefined;
  adaptiveLossConfig: AdaptiveLossConfig | undefined;
  /** `retention` was given as false. */
  refusesRetention: boolean;
}

/**
 * The training configuration where the bound of the loss' is known, too: `maxKlDivergence` needs `retention`.
 * @param lossPath where the loss' configuration stands
 */
export function withRetention(
  reader: ConfigReader,
  { trainingConfig, adaptiveLossConfig, refusesRetention }: Parts,
  lossPath: string,
): TrainingConfig | undefined {
  const bound = adaptiveLossConfig?.maxKlDivergence ?? null;
  if (bound === null || trainingConfig === undefined || trainingConfig.retention !== null)
    return trainingConfig;
  if (refusesRetention) {
    const path = configPath(lossPath, reader.spell('maxKlDivergence'));
    const message =
      'expected none with "retention" false, since it bounds forgetting by way of retention, received one; remove one of the two';
    reader.faults.push({ path, code: 'CONTRADICTION', message });
  }
  const whole = { ...trainingConfig, retention: automatic };
  return hasDefaultPrecision(trainingConfig) ? noteDefaultPrecision(whole) : whole;
}
