import { bindArguments, type Given } from './bind-arguments.js';
import type { Budget } from './budget.js';
import { equalPython } from './compare.js';
import { itemAt, iterate, slice } from './operators.js';
import { pythonRepr } from './python-str.js';
import { otherStringMethods, stringMethods } from './string-methods.js';
import { isText, plain } from './tagged-text.js';
import { notSupported, TemplateError } from './template-error.js';
import {
  Callable,
  Dict,
  DictView,
  Generator,
  isNumeric,
  known,
  Loop,
  Markup,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

// What the sandbox of transformers keeps templates from calling, as it changes a value that is not theirs.
const changing = new Set(
  [
    'append',
    'clear',
    'extend',
    'insert',
    'pop',
    'popitem',
    'remove',
    'reverse',
    'setdefault',
    'sort',
    'update',
  ].concat('add', 'discard'),
);

// Methods whose arguments are not escaped for text from `safe` or `escape`.
const sameOnMarkup = new Set(
  'upper lower strip lstrip rstrip title capitalize swapcase startswith endswith find rfind count isspace isdigit'.split(
    ' ',
  ),
);

/** `object.name`: an attribute goes before an item of that name, so that `message.items` is the method. */
export function getAttribute(object: Value, name: string, budget: Budget): Value {
  if (object instanceof Undefined) throw object.error();
  const found = attribute(object, name, budget);
  return known(found === undefined ? mapping(object, name) : found, missing(object, `attribute '${name}'`));
}

/** `object[key]`: an item goes before an attribute. */
export function getItem(object: Value, key: Value, budget: Budget): Value {
  if (object instanceof Undefined) throw object.error();
  const item = isText(key) || object instanceof Dict ? mapping(object, key) : indexed(object, key, budget);
  if (item !== undefined) return item;
  const found = isText(key) ? attribute(object, plain(key), budget) : undefined;
  return known(
    found,
    missing(object, isText(key) ? `attribute '${plain(key)}'` : `element ${keyText(key, budget)}`),
  );
}

/** `object[start:stop:step]`. */
export function getSlice(object: Value, parts: readonly (Value | undefined)[], budget: Budget): Value {
  if (object instanceof Undefined) throw object.error();
  if (object instanceof Markup) throw notSupported('a part of text from safe or escape');
  return known(slice(object, parts, budget), missing(object, 'part like that'));
}

function keyText(key: Value, budget: Budget): string {
  return plain(pythonRepr(key, budget));
}

function missing(object: Value, what: string): string {
  return `${object === null ? 'None' : `'${typeName(object)} object'`} has no ${what}`;
}

function mapping(object: Value, key: Value): Value | undefined {
  if (!(object instanceof Dict)) return undefined;
  try {
    return object.get(key);
  } catch (error) {
    if (error instanceof TemplateError && error.kind === 'TypeError') return undefined; // no key at all
    throw error;
  }
}

function indexed(object: Value, key: Value, budget: Budget): Value | undefined {
  if (typeof key !== 'bigint' && typeof key !== 'boolean') return undefined;
  return itemAt(object, BigInt(key), budget);
}

function attribute(object: Value, name: string, budget: Budget): Value | undefined {
  if (name.startsWith('__') && !(object instanceof Namespace)) {
    return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`);
  }
  if (object instanceof Namespace) return object.values.get(name);
  if (object instanceof Loop) return loopAttribute(object, name, budget);
  if (object instanceof Markup) {
    const run = stringMethods.get(name);
    if (run === undefined) return undefined;
    if (!sameOnMarkup.has(name)) throw notSupported(`${name}() of text from safe or escape`);
    return bound(name, (given) => {
      budget.read(plain(object.text).length);
      const made = run(object.text, given, budget);
      return isText(made) ? new Markup(made) : made;
    });
  }
  if (isText(object)) {
    const run = stringMethods.get(name);
    if (run !== undefined) {
      return bound(name, (given) => {
        budget.read(plain(object).length);
        return run(object, given, budget);
      });
    }
    return otherStringMethods.has(name) ? unavailable(object, name) : undefined;
  }
  if (changing.has(name) && (Array.isArray(object) || object instanceof Dict)) {
    return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`);
  }
  if (object instanceof Dict) return dictMethod(object, name);
  if (Array.isArray(object) || object instanceof Tuple || object instanceof Range) {
    return sequenceAttribute(object, name, budget);
  }
  if (isNumeric(object)) return numberAttribute(object, name);
  if (object instanceof DictView || object instanceof Generator) {
    return ['isdisjoint', 'mapping', 'send', 'throw', 'close'].includes(name)
      ? unavailable(object, name)
      : undefined;
  }
  return undefined;
}

function bound(name: string, call: (given: Given) => Value): Callable {
  return new Callable(name, (args, named) => call({ args, named }));
}

function unavailable(object: Value, name: string): Callable {
  return bound(name, () => {
    throw notSupported(`${typeName(object)}.${name}()`);
  });
}

function dictMethod(dict: Dict, name: string): Value | undefined {
  switch (name) {
    case 'get':
      return bound(name, (given) => {
        const [key, otherwise = null] = bindArguments(name, ['key', 'default?'], given);
        const found = dict.get(key!);
        return found === undefined ? otherwise : found;
      });
    case 'keys':
    case 'values':
    case 'items':
      return bound(name, (given) => {
        bindArguments(name, [], given);
        return new DictView(name, dict);
      });
    case 'copy':
      return bound(name, () => new Dict(dict.entries()));
    case 'fromkeys':
      return unavailable(dict, name);
  }
  return undefined;
}

function sequenceAttribute(object: Value[] | Tuple | Range, name: string, budget: Budget): Value | undefined {
  const items = () => iterate(object, budget);
  switch (name) {
    case 'index':
      return bound(name, (given) => {
        const [wanted] = bindArguments(name, ['value'], given);
        const at = items().findIndex((item) => equalPython(item, wanted!, budget));
        if (at < 0) throw new TemplateError('ValueError', `${keyText(wanted!, budget)} is not in list`);
        return BigInt(at);
      });
    case 'count':
      return bound(name, (given) => {
        const [wanted] = bindArguments(name, ['value'], given);
        return BigInt(items().filter((item) => equalPython(item, wanted!, budget)).length);
      });
    case 'copy':
      return Array.isArray(object) ? bound(name, () => [...object]) : undefined;
  }
  if (object instanceof Range && ['start', 'stop', 'step'].includes(name)) return object[name as 'start'];
  return object instanceof Tuple ? object.items[object.names.indexOf(name)] : undefined;
}

function numberAttribute(value: boolean | bigint | number, name: string): Value | undefined {
  if (name === 'real') return typeof value === 'boolean' ? BigInt(value) : value;
  if (name === 'imag') return typeof value === 'number' ? 0 : 0n;
  if (name === 'is_integer') return bound(name, () => typeof value !== 'number' || Number.isInteger(value));
  const others = [
    'bit_length',
    'bit_count',
    'conjugate',
    'as_integer_ratio',
    'to_bytes',
    'from_bytes',
    'hex',
  ];
  return [...others, 'fromhex', 'numerator', 'denominator'].includes(name)
    ? unavailable(value, name)
    : undefined;
}

function loopAttribute(loop: Loop, name: string, budget: Budget): Value | undefined {
  const { index, items } = loop;
  const neighbour = (at: number, which: string) => known(items[at], `there is no ${which} item`);
  switch (name) {
    case 'index':
      return BigInt(index + 1);
    case 'index0':
      return BigInt(index);
    case 'revindex':
      return BigInt(items.length - index);
    case 'revindex0':
      return BigInt(items.length - index - 1);
    case 'first':
      return index === 0;
    case 'last':
      return index === items.length - 1;
    case 'length':
      return BigInt(items.length);
    case 'depth':
      return BigInt(loop.depth + 1);
    case 'depth0':
      return BigInt(loop.depth);
    case 'previtem':
      return neighbour(index - 1, 'previous');
    case 'nextitem':
      return neighbour(index + 1, 'next');
    case 'cycle':
      return new Callable(name, (args) => {
        if (args.length === 0) throw new TemplateError('TypeError', 'no items for cycling given');
        return args[index % args.length]!;
      });
    case 'changed':
      return new Callable(name, (args) => {
        const isSame = loop.last !== undefined && equalPython(loop.last, [...args], budget);
        loop.last = [...args];
        return !isSame;
      });
  }
  return undefined;
}
