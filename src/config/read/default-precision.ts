import type { TrainingConfig } from '../schema/parsed-config.js';

const byDefault = new WeakSet<object>();

/** Notes that nobody named the precision of a training configuration: its `fp16` is a default. */
export function noteDefaultPrecision(config: TrainingConfig): TrainingConfig {
  byDefault.add(config);
  return config;
}

/** Whether the precision of a training configuration that has been read was left to the library. */
export function hasDefaultPrecision(config: TrainingConfig): boolean {
  return byDefault.has(config);
}
