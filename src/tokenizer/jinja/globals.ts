import { bindArguments, type Given } from './bind-arguments.js';
import { iterate } from './operators.js';
import type { Budget } from './budget.js';
import { expectText, pythonStr } from './python-str.js';
import { strftime } from './strftime.js';
import { plain } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Callable, Dict, Namespace, Range, Tuple, typeName, Undefined, type Value } from './values.js';

// What the sandbox of transformers allows.
const longestRange = 100_000;

/** The functions that templates have without asking: jinja2's and those that transformers adds. */
export function globalFunctions(budget: Budget, now: Date): [string, Callable][] {
  const make = (name: string, call: (given: Given) => Value): [string, Callable] => [
    name,
    new Callable(name, (args, named) => call({ args, named })),
  ];
  return [
    make('range', (given) => range(given)),
    make(
      'namespace',
      (given) =>
        new Namespace(
          new Map(
            asDict(given, budget)
              .entries()
              .map(([key, value]) => [plain(expectText(key, 'a name')), value]),
          ),
        ),
    ),
    make('dict', (given) => asDict(given, budget)),
    make('raise_exception', (given) => {
      const [message] = bindArguments('raise_exception', ['message'], given);
      throw new TemplateError('Raised', plain(pythonStr(message!, budget)));
    }),
    make('strftime_now', (given) => {
      const [format] = bindArguments('strftime_now', ['format'], given);
      return strftime(now, plain(expectText(format, 'strftime() argument 1')));
    }),
    ...['lipsum', 'cycler', 'joiner'].map((name) =>
      make(name, () => {
        throw notSupported(`${name}()`);
      }),
    ),
  ];
}

function range(given: Given): Range {
  if (given.named.size > 0) throw typeError('range() takes no keyword arguments');
  if (given.args.length === 0) throw typeError('range expected at least 1 argument, got 0');
  const numbers = bindArguments('range', ['start', 'stop?', 'step?'], given).map((value) => {
    if (value instanceof Undefined) throw value.error();
    if (value === undefined || typeof value === 'bigint') return value;
    if (typeof value === 'boolean') return BigInt(value);
    throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  });
  const [first = 0n, second, step = 1n] = numbers;
  if (step === 0n) throw new TemplateError('ValueError', 'range() arg 3 must not be zero');
  const made = second === undefined ? new Range(0n, first, 1n) : new Range(first, second, step);
  if (made.length <= longestRange) return made;
  throw new TemplateError(
    'OverflowError',
    `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${longestRange}).`,
  );
}

function asDict({ args, named }: Given, budget: Budget): Dict {
  const made = new Dict();
  const [from, ...others] = args;
  if (others.length > 0) throw typeError(`dict expected at most 1 argument, got ${args.length}`);
  if (from instanceof Dict) for (const [key, value] of from.entries()) made.set(key, value);
  else if (from !== undefined) {
    for (const pair of iterate(from, budget)) {
      const items = pair instanceof Tuple ? pair.items : pair;
      if (!Array.isArray(items) || items.length !== 2)
        throw typeError('dict() takes pairs of a key and a value');
      made.set(items[0]!, items[1]!);
    }
  }
  for (const [key, value] of named) made.set(key, value);
  return made;
}
