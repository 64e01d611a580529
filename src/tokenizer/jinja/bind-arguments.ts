import { typeError } from './template-error.js';
import type { Value } from './values.js';

/** Arguments of a call: by position and by name. */
export interface Given {
  args: readonly Value[];
  named: ReadonlyMap<string, Value>;
}

/**
 * Values of the parameters of a function, in their order; undefined for an optional one that was not given.
 *
 * @param parameters names; one that ends in `?` is optional
 * @throws TemplateError `TypeError` as Python has it
 */
export function bindArguments(
  name: string,
  parameters: readonly string[],
  { args, named }: Given,
): (Value | undefined)[] {
  if (args.length > parameters.length) {
    throw typeError(`${name}() takes at most ${parameters.length} arguments (${args.length} given)`);
  }
  const names = parameters.map((parameter) => parameter.replace('?', ''));
  for (const key of named.keys()) {
    const index = names.indexOf(key);
    if (index < 0) throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (index < args.length) throw typeError(`${name}() got multiple values for argument '${key}'`);
  }
  return parameters.map((parameter, index) => {
    const value = index < args.length ? args[index] : named.get(names[index]!);
    if (value === undefined && !parameter.endsWith('?')) {
      throw typeError(`${name}() missing a required argument: '${parameter}'`);
    }
    return value;
  });
}
