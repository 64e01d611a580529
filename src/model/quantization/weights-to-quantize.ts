import { AdaptiveTrainerError } from '../../errors.js';
import type { NamedWeight, QuantizedWeight } from '../../engine/addon.js';
import { projectionModules } from '../adapter/adapter-modules.js';
import { blockSize, type QuantizationOptions } from './quantization.js';

/**
 * The weights that bitsandbytes would quantise: those of all linear layers but the head, less what is to be skipped.
 * Weights of experts, which are no linear layers in transformers, stay whole, as do routers.
 * @param parameters those of the model
 * @throws AdaptiveTrainerError INVALID_INPUT where nothing is left, or an entry of skipModules is no regular expression
 */
export function weightsToQuantize(
  parameters: readonly NamedWeight[],
  { type = 'nf4', doubleQuant = true, skipModules = [] }: QuantizationOptions,
): QuantizedWeight[] {
  const isSkipped = skipRule(skipModules);
  const modules = projectionModules(parameters).filter((module) => !isSkipped(module));
  if (modules.length === 0)
    throw refused('to leave some projection of the model to quantise', 'ones that skip all of them');
  return modules.map((module) => ({
    name: `${module}.weight`,
    type,
    blockSize,
    nested: doubleQuant && type !== 'int8',
    offset: 0,
  }));
}

/** transformers' should_convert_module. */
function skipRule(skipModules: readonly string[]): (module: string) => boolean {
  const rules = skipModules.map((name) => {
    try {
      return { name, expression: new RegExp(`^(?:${name})`) };
    } catch (cause) {
      throw refused('of regular expressions', `${JSON.stringify(name)}: ${(cause as Error).message}`);
    }
  });
  return (module) => rules.some(({ name, expression }) => expression.test(module) || module.endsWith(name));
}

function refused(expected: string, found: string): AdaptiveTrainerError {
  const message = `Expected modules to skip when quantising (skipModules, llmInt8SkipModules) ${expected}, found ${found}.`;
  return new AdaptiveTrainerError('INVALID_INPUT', message);
}
