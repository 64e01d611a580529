import type { Budget } from './budget.js';
import { compare } from './operators.js';
import { isText, plain } from './tagged-text.js';
import { TemplateError, typeError } from './template-error.js';
import {
  Callable,
  Dict,
  DictView,
  Generator,
  isNumeric,
  itemsOf,
  Loop,
  Markup,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';
import { binary } from './operators.js';

type Test = (value: Value, args: readonly Value[], budget: Budget) => boolean;

const comparing =
  (operator: string): Test =>
  (value, args, budget) => {
    if (args.length !== 1)
      throw typeError(`test ${operator} takes exactly one argument (${args.length} given)`);
    return compare(operator, value, args[0]!, budget);
  };

const rest = (value: Value, by: Value, budget: Budget) => {
  if (!isNumeric(value) && !(value instanceof Undefined)) {
    throw typeError(`not all arguments converted during string formatting, or no number: ${typeName(value)}`);
  }
  return Number(binary('%', value, by, budget));
};

const isString = (value: Value) => isText(value) || value instanceof Markup;
const isCallable = (value: Value) =>
  value instanceof Callable ||
  value instanceof Undefined ||
  (value instanceof Loop && value.recurse !== undefined);

const only = (test: (value: Value) => boolean): Test => test;

/** The tests that follow `is`. */
export const builtinTests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', only((value) => !(value instanceof Undefined))],
  ['undefined', only((value) => value instanceof Undefined)],
  ['none', only((value) => value === null)],
  ['boolean', only((value) => typeof value === 'boolean')],
  ['true', only((value) => value === true)],
  ['false', only((value) => value === false)],
  ['integer', only((value) => typeof value === 'bigint')],
  ['float', only((value) => typeof value === 'number')],
  ['number', only(isNumeric)],
  ['string', only(isString)],
  ['mapping', only((value) => value instanceof Dict)],
  [
    'sequence',
    only(
      (value) =>
        isString(value) ||
        Array.isArray(value) ||
        value instanceof Tuple ||
        value instanceof Dict ||
        value instanceof Range ||
        value instanceof Undefined,
    ),
  ],
  [
    'iterable',
    only(
      (value) =>
        isString(value) ||
        value instanceof Generator ||
        value instanceof Loop ||
        value instanceof DictView ||
        (!(value instanceof Callable) && isIterable(value)),
    ),
  ],
  ['callable', only(isCallable)],
  ['escaped', only((value) => value instanceof Markup)],
  ['lower', only((value) => cased(value, 'lower'))],
  ['upper', only((value) => cased(value, 'upper'))],
  ['odd', (value, _, budget) => rest(value, 2n, budget) === 1],
  ['even', (value, _, budget) => rest(value, 2n, budget) === 0],
  ['divisibleby', (value, [by], budget) => rest(value, by ?? null, budget) === 0],
  ['sameas', (value, [other]) => isSame(value, other ?? null)],
  ['in', (value, [container], budget) => compare('in', value, container ?? null, budget)],
  ...(
    [
      ['==', ['==', 'eq', 'equalto']],
      ['!=', ['!=', 'ne']],
      ['<', ['<', 'lt', 'lessthan']],
      ['<=', ['<=', 'le']],
      ['>', ['>', 'gt', 'greaterthan']],
      ['>=', ['>=', 'ge']],
    ] as const
  ).flatMap(([operator, names]) => names.map((name): [string, Test] => [name, comparing(operator)])),
]);

function isIterable(value: Value): boolean {
  if (value instanceof Range || value instanceof Dict || value instanceof Undefined) return true;
  return itemsOf(value) !== undefined;
}

/** Python's `is`. Strings and numbers that are equal need not be the same one there, so that cannot be told. */
function isSame(value: Value, other: Value): boolean {
  if (value === other) return true;
  if ([value, other].some((one) => isText(one) || typeof one === 'bigint' || typeof one === 'number')) {
    if (typeName(value) === typeName(other)) {
      throw new TemplateError(
        'NotSupported',
        `sameas between two values of type ${typeName(value)} is not supported here`,
      );
    }
  }
  return false;
}

function cased(value: Value, side: 'lower' | 'upper'): boolean {
  if (!isText(value))
    throw new TemplateError('NotSupported', `${side} of a ${typeName(value)} is not supported here`);
  const text = plain(value);
  const [of, other] = side === 'lower' ? [/\p{Ll}/u, /[\p{Lu}\p{Lt}]/u] : [/\p{Lu}/u, /[\p{Ll}\p{Lt}]/u];
  return of.test(text) && !other.test(text);
}
