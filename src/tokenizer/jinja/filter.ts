import { bindArguments, type Given } from './bind-arguments.js';
import type { Budget } from './budget.js';
import type { Value } from './values.js';

/** What a filter may use beside its arguments. */
export interface FilterContext {
  budget: Budget;
  filter(name: string, value: Value, given: Given): Value;
  test(name: string, value: Value, args: readonly Value[]): boolean;
}

export type Filter = (value: Value, given: Given, context: FilterContext) => Value;
export type Args = (Value | undefined)[];

export function filter(
  name: string,
  parameters: string[],
  run: (value: Value, args: Args, context: FilterContext) => Value,
): [string, Filter] {
  return [name, (value, given, context) => run(value, bindArguments(name, parameters, given), context)];
}
