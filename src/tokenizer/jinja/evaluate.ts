import { getAttribute, getItem, getSlice } from './attributes.js';
import type { Given } from './bind-arguments.js';
import type { Budget } from './budget.js';
import { builtinTests } from './builtin-tests.js';
import type { FilterContext } from './filter.js';
import { filters, unsupportedFilters } from './filters.js';
import type { Argument, Expression } from './nodes.js';
import { binary, compare, iterate, negate } from './operators.js';
import { expectText, pythonStr } from './python-str.js';
import type { Scope } from './scope.js';
import { concat, isText, plain } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Callable, Dict, known, Loop, truthy, Tuple, typeName, Undefined, type Value } from './values.js';

type Of<T extends Expression['type']> = Extract<Expression, { type: T }>;

/** Evaluates the expressions of a template. */
export class Evaluator implements FilterContext {
  /** The operation that is being done, for messages. */
  at: { start: number; end: number } | undefined;

  constructor(readonly budget: Budget) {}

  /** @param piped what the first filter of a filter block is given */
  evaluate(node: Expression, scope: Scope, piped?: Value): Value {
    this.budget.step();
    switch (node.type) {
      case 'constant':
        return node.value;
      case 'name':
        return known(scope.get(node.name), `'${node.name}' is undefined`);
      case 'list':
        return node.items.map((item) => this.evaluate(item, scope));
      case 'tuple':
        return new Tuple(node.items.map((item) => this.evaluate(item, scope)));
      case 'dict':
        return this.dict(node, scope);
      case 'and':
      case 'or': {
        const left = this.evaluate(node.left, scope);
        return truthy(left) === (node.type === 'and') ? this.evaluate(node.right, scope) : left;
      }
      case 'not':
        return !truthy(this.evaluate(node.value, scope));
      case 'condition':
        if (truthy(this.evaluate(node.test, scope))) return this.evaluate(node.yes, scope);
        return node.no === undefined
          ? new Undefined('the inline if-expression evaluated to false and no else section was defined.')
          : this.evaluate(node.no, scope);
      case 'filter': {
        const value = node.value === undefined ? piped! : this.evaluate(node.value, scope, piped);
        const given = this.args(node.args, scope);
        this.at = node;
        return this.filter(node.name, value, given);
      }
      default:
        return this.operation(node, scope);
    }
  }

  private operation(node: Expression, scope: Scope): Value {
    switch (node.type) {
      case 'binary': {
        const left = this.evaluate(node.left, scope);
        const right = this.evaluate(node.right, scope);
        this.at = node;
        return binary(node.operator, left, right, this.budget);
      }
      case 'concat': {
        const parts = node.items.map((item) => this.evaluate(item, scope));
        this.at = node;
        const texts = parts.map((part) => pythonStr(part, this.budget));
        this.budget.text(texts.reduce((sum, text) => sum + plain(text).length, 0));
        return concat(texts);
      }
      case 'negative':
      case 'positive': {
        const value = this.evaluate(node.value, scope);
        this.at = node;
        return negate(value, node.type);
      }
      case 'compare':
        return this.compare(node, scope);
      case 'attribute': {
        const object = this.evaluate(node.object, scope);
        this.at = node;
        return getAttribute(object, node.name, this.budget);
      }
      case 'item':
        return this.item(node, scope);
      case 'call': {
        const callee = this.evaluate(node.callee, scope);
        const { args, named } = this.args(node.args, scope);
        this.at = node;
        return this.call(callee, args, named);
      }
      case 'test': {
        const value = this.evaluate(node.value, scope);
        const { args } = this.args(node.args, scope);
        this.at = node;
        return this.test(node.name, value, args);
      }
    }
    throw typeError('a slice stands outside of an index');
  }

  private dict({ entries }: Of<'dict'>, scope: Scope): Dict {
    const made = new Dict();
    for (const [key, value] of entries) made.set(this.evaluate(key, scope), this.evaluate(value, scope));
    return made;
  }

  private compare(node: Of<'compare'>, scope: Scope): boolean {
    let left = this.evaluate(node.first, scope);
    for (const { operator, value } of node.rest) {
      const right = this.evaluate(value, scope);
      this.at = node;
      if (!compare(operator, left, right, this.budget)) return false;
      left = right;
    }
    return true;
  }

  private item(node: Of<'item'>, scope: Scope): Value {
    const object = this.evaluate(node.object, scope);
    if (node.key.type === 'slice') {
      const parts = node.key.parts.map((part) =>
        part === undefined ? undefined : this.evaluate(part, scope),
      );
      this.at = node;
      return getSlice(object, parts, this.budget);
    }
    const key = this.evaluate(node.key, scope);
    this.at = node;
    return getItem(object, key, this.budget);
  }

  args(list: readonly Argument[], scope: Scope): Given {
    const args: Value[] = [];
    const named = new Map<string, Value>();
    for (const { kind, name, value } of list) {
      const found = this.evaluate(value, scope);
      if (kind === 'positional') args.push(found);
      else if (kind === 'named') named.set(name!, found);
      else if (kind === 'list') args.push(...iterate(found, this.budget).slice(0, 10_000));
      else {
        if (!(found instanceof Dict)) throw typeError('argument after ** must be a mapping');
        for (const [key, of] of found.entries()) named.set(plain(expectText(key, 'a keyword')), of);
      }
    }
    return { args, named };
  }

  call(callee: Value, args: readonly Value[], named: ReadonlyMap<string, Value>): Value {
    if (callee instanceof Callable) return callee.call(args, named);
    if (callee instanceof Loop && callee.recurse !== undefined) return callee.recurse(args[0] ?? null);
    if (callee instanceof Undefined) throw callee.error();
    throw typeError(`'${typeName(callee)}' object is not callable`);
  }

  filter(name: string, value: Value, given: Given): Value {
    if (isText(value)) this.budget.read(plain(value).length);
    const run = filters.get(name);
    if (run !== undefined) return run(value, given, this);
    if (unsupportedFilters.has(name)) throw notSupported(`the filter ${name}`);
    throw new TemplateError('TemplateSyntaxError', `No filter named '${name}'.`);
  }

  test(name: string, value: Value, args: readonly Value[]): boolean {
    if (name === 'filter') return filters.has(plain(expectText(value, 'the name of a filter')));
    if (name === 'test') return builtinTests.has(plain(expectText(value, 'the name of a test')));
    const run = builtinTests.get(name);
    if (isText(value)) this.budget.read(plain(value).length);
    if (run === undefined) throw new TemplateError('TemplateSyntaxError', `No test named '${name}'.`);
    return run(value, args, this.budget);
  }
}
