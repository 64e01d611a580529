import { getItem } from './attributes.js';
import type { Budget } from './budget.js';
import { comparePython, equalPython } from './compare.js';
import { filter, type Filter, type FilterContext } from './filter.js';
import { binary, iterate } from './operators.js';
import { expectText, pythonStr } from './python-str.js';
import { joinTexts, wholeNumber } from './string-methods.js';
import { characters, concat, isText, plain } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Dict, DictView, Generator, truthy, Tuple, typeName, Undefined, type Value } from './values.js';

type Key = (item: Value) => Value;

/** What Python calls an attribute getter: a dotted path of keys and indices. */
function getter(attribute: Value | undefined, budget: Budget, otherwise?: Value): Key {
  if (attribute === undefined || attribute === null) return (item) => item;
  const path: Value[] = isText(attribute)
    ? plain(attribute)
        .split('.')
        .map((part) => (/^\d+$/.test(part) ? BigInt(part) : part))
    : [attribute];
  return (item) => {
    let found = item;
    for (const part of path) {
      found = getItem(found, part, budget);
      if (found instanceof Undefined && otherwise !== undefined) found = otherwise;
    }
    return found;
  };
}

const lowered =
  (key: Key, isCaseSensitive: boolean): Key =>
  (item) => {
    const found = key(item);
    return !isCaseSensitive && isText(found) ? plain(found).toLowerCase() : found;
  };

function sorted(items: readonly Value[], key: Key, isReverse: boolean, budget: Budget): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  budget.items(keyed.length);
  keyed.sort((a, b) => {
    const order = comparePython(a.key, b.key, '<', budget);
    return Number.isNaN(order) ? 0 : isReverse ? -order : order;
  });
  return keyed.map(({ item }) => item);
}

const extreme = (name: 'min' | 'max') =>
  filter(name, ['case_sensitive?', 'attribute?'], (value, [isSensitive = false, attribute], { budget }) => {
    const items = iterate(value, budget);
    const key = lowered(getter(attribute, budget), truthy(isSensitive));
    let best = items[0];
    if (best === undefined) return new Undefined('No aggregated item, sequence was empty.');
    for (const item of items.slice(1)) {
      const order = comparePython(key(item), key(best), name === 'min' ? '<' : '>', budget);
      if (name === 'min' ? order < 0 : order > 0) best = item;
    }
    return best;
  });

/** `select`, `reject` and, with an attribute to look at, `selectattr` and `rejectattr`. */
function selecting(name: string, isWanted: boolean, ofAttribute: boolean): [string, Filter] {
  return [
    name,
    (value, { args, named }, context) => {
      if (named.size > 0)
        throw typeError(`${name}() got an unexpected keyword argument '${[...named.keys()][0]}'`);
      const [attribute] = args;
      if (ofAttribute && attribute === undefined) throw typeError('Missing parameter for attribute name');
      const key = ofAttribute ? getter(attribute, context.budget) : (item: Value) => item;
      const [test, ...others] = ofAttribute ? args.slice(1) : args;
      const passes = (item: Value) =>
        test === undefined
          ? truthy(item)
          : context.test(plain(expectText(test, 'the name of a test')), item, others);
      return new Generator(iterate(value, context.budget).filter((item) => passes(key(item)) === isWanted));
    },
  ];
}

const mapping: Filter = (value, { args, named }, context) => {
  const items = iterate(value, context.budget);
  const attribute = named.get('attribute');
  if (args.length === 0 && attribute !== undefined) {
    const key = getter(attribute, context.budget, named.get('default'));
    return new Generator(items.map(key));
  }
  const [name, ...others] = args;
  if (name === undefined) throw typeError('map requires a filter argument');
  const called = plain(expectText(name, 'the name of a filter'));
  return new Generator(items.map((item) => context.filter(called, item, { args: others, named })));
};

/** The filters of jinja2 that go through lists. */
export const listFilters: readonly [string, Filter][] = [
  ['map', mapping],
  selecting('select', true, false),
  selecting('reject', false, false),
  selecting('selectattr', true, true),
  selecting('rejectattr', false, true),
  extreme('min'),
  extreme('max'),
  filter('list', [], (value, _, { budget }) => [...iterate(value, budget)]),
  filter('join', ['d?', 'attribute?'], (value, [mark = '', attribute], { budget }) => {
    const items = iterate(value, budget).map(getter(attribute, budget));
    return joinTexts(
      pythonStr(mark, budget),
      items.map((item) => pythonStr(item, budget)),
      budget,
    );
  }),
  filter('sort', ['reverse?', 'case_sensitive?', 'attribute?'], (value, args, { budget }) => {
    const [reverse = false, isSensitive = false, attribute = null] = args;
    const key = manyKeys(attribute, truthy(isSensitive), budget);
    return sorted(iterate(value, budget), key, truthy(reverse), budget);
  }),
  filter(
    'unique',
    ['case_sensitive?', 'attribute?'],
    (value, [isSensitive = false, attribute], { budget }) => {
      const key = lowered(getter(attribute, budget), truthy(isSensitive));
      const seen = new Dict();
      const first = (item: Value) => {
        const found = key(item);
        const isNew = !seen.has(found);
        seen.set(found, null);
        return isNew;
      };
      return new Generator(iterate(value, budget).filter(first));
    },
  ),
  filter('reverse', [], (value, _, { budget }) => {
    if (isText(value)) return concat(characters(value).reverse());
    const items = [...iterate(value, budget)].reverse();
    if (value instanceof Generator) return items;
    if (value instanceof Undefined) throw value.error();
    return new Generator(items, `${typeName(value)}_reverseiterator`);
  }),
  filter('batch', ['linecount', 'fill_with?'], (value, [count, fill = null], { budget }) => {
    const width = Math.max(1, wholeNumber(count));
    const items = iterate(value, budget);
    const lines: Value[][] = [];
    for (let at = 0; at < items.length; at += width) lines.push(items.slice(at, at + width));
    const last = lines.at(-1);
    if (fill !== null && last !== undefined) {
      budget.items(width);
      while (last.length < width) last.push(fill);
    }
    return new Generator(lines);
  }),
  filter('slice', ['slices', 'fill_with?'], (value, [count, fill = null], { budget }) => {
    const items = iterate(value, budget);
    const slices = wholeNumber(count);
    budget.items(slices);
    const size = Math.floor(items.length / slices);
    const longer = items.length % slices;
    let at = 0;
    return new Generator(
      Array.from({ length: slices }, (_unused, index): Value => {
        const part = items.slice(at, (at += size + (index < longer ? 1 : 0)));
        return fill !== null && index >= longer ? [...part, fill] : part;
      }),
    );
  }),
  filter('groupby', ['attribute', 'default?', 'case_sensitive?'], grouped),
  filter('sum', ['attribute?', 'start?'], (value, [attribute, start = 0n], { budget }) =>
    iterate(value, budget)
      .map(getter(attribute, budget))
      .reduce((sum, item) => {
        if (isText(sum)) throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
        return binary('+', sum, item, budget);
      }, start),
  ),
  filter('dictsort', ['case_sensitive?', 'by?', 'reverse?'], (value, args, { budget }) => {
    const [isSensitive = false, by = 'key', reverse = false] = args;
    if (!(value instanceof Dict)) throw typeError(`dictsort of a ${typeName(value)}`);
    const at = ['key', 'value'].indexOf(plain(expectText(by, 'dictsort by')));
    if (at < 0) throw new TemplateError('ValueError', 'You can only sort by either "key" or "value"');
    const pairs = new DictView('items', value).items();
    return sorted(
      pairs,
      lowered((pair) => (pair as Tuple).items[at]!, truthy(isSensitive)),
      truthy(reverse),
      budget,
    );
  }),
  filter('attr', ['name'], () => {
    throw notSupported('the filter attr');
  }),
];

function manyKeys(attribute: Value, isSensitive: boolean, budget: Budget): Key {
  if (!isText(attribute) || !plain(attribute).includes(',')) {
    return lowered(getter(attribute, budget), isSensitive);
  }
  const keys = plain(attribute)
    .split(',')
    .map((one) => lowered(getter(one, budget), isSensitive));
  return (item) => keys.map((key) => key(item));
}

function grouped(value: Value, args: (Value | undefined)[], { budget }: FilterContext): Value {
  const [attribute, otherwise, isSensitive = false] = args;
  const original = getter(attribute, budget, otherwise === null ? undefined : otherwise);
  const key = lowered(original, truthy(isSensitive));
  const groups: Tuple[] = [];
  let last: Value | undefined;
  for (const item of sorted(iterate(value, budget), key, false, budget)) {
    const found = key(item);
    if (last === undefined || !equalPython(last, found, budget)) {
      groups.push(new Tuple([original(item), []], ['grouper', 'list']));
    }
    last = found;
    (groups.at(-1)!.items[1] as Value[]).push(item);
  }
  return groups;
}
