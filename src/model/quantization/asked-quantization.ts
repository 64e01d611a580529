import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { QuantizationOptions } from './quantization.js';

/** What a configuration wants the frozen base to be kept in; undefined: whole. */
export function askedQuantization(args: TrainingConfig): QuantizationOptions | undefined {
  const { loadIn4bit, loadIn8bit, bnb4bitQuantType, bnb4bitUseDoubleQuant: doubleQuant } = args;
  if (!loadIn4bit && !loadIn8bit) return undefined;
  const skipModules = args.llmInt8SkipModules ?? [];
  return { type: loadIn8bit ? 'int8' : bnb4bitQuantType, doubleQuant, skipModules };
}
