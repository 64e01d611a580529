import type { Budget } from './budget.js';
import { Evaluator } from './evaluate.js';
import { globalFunctions } from './globals.js';
import { lineOf } from './lex.js';
import type { Statement, Target, Template } from './nodes.js';
import { iterate } from './operators.js';
import { pythonStr } from './python-str.js';
import { Scope } from './scope.js';
import { concat, plain, spansOf, tagged, type Tag, type Text } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Callable, Dict, known, Loop, Namespace, truthy, Tuple, type Value } from './values.js';

export interface RenderOptions {
  variables: Iterable<readonly [string, Value]>;
  budget: Budget;
  now?: Date;
  /** Tag for what one pass of a loop over this item writes; undefined: none. */
  tagOf?: (item: Value) => Tag | undefined;
  /** Tag for what stands between `{% generation %}` marks. */
  generation?: Tag;
}

/**
 * Renders a template as jinja2 does.
 *
 * @throws TemplateError with the expression and its line in `where`
 */
export function renderTemplate(template: Template, options: RenderOptions): Text {
  const outer = new Scope([
    ...globalFunctions(options.budget, options.now ?? new Date()),
    ...options.variables,
  ]);
  const renderer = new Renderer(options);
  try {
    return renderer.text(template.body, new Scope([], outer));
  } catch (error) {
    const thrown =
      error instanceof RangeError
        ? new TemplateError('TooMuchWork', 'the template was stopped: it nests too deep')
        : error;
    const { at } = renderer.evaluator;
    if (thrown instanceof TemplateError && at !== undefined) {
      const expression = template.source.slice(at.start, at.end);
      thrown.where ??= { expression, line: lineOf(template.source, at.start) };
    }
    throw thrown;
  }
}

type Jump = 'break' | 'continue' | undefined;
type Of<T extends Statement['type']> = Extract<Statement, { type: T }>;

class Renderer {
  readonly evaluator: Evaluator;
  private readonly budget: Budget;

  constructor(private readonly options: RenderOptions) {
    this.budget = options.budget;
    this.evaluator = new Evaluator(options.budget);
  }

  /** What the statements write. */
  text(statements: readonly Statement[], scope: Scope): Text {
    const out: Text[] = [];
    if (this.run(statements, scope, out) !== undefined)
      throw new TemplateError('TemplateSyntaxError', 'break or continue outside a loop');
    return this.joined(out);
  }

  private joined(parts: readonly Text[]): Text {
    let length = 0;
    for (const part of parts) {
      length += plain(part).length;
      this.budget.step(spansOf(part).length);
    }
    this.budget.text(length);
    return concat(parts);
  }

  private run(statements: readonly Statement[], scope: Scope, out: Text[]): Jump {
    for (const statement of statements) {
      const jump = this.statement(statement, scope, out);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  private statement(statement: Statement, scope: Scope, out: Text[]): Jump {
    const { evaluator, budget } = this;
    budget.step();
    switch (statement.type) {
      case 'text':
        out.push(statement.value);
        return undefined;
      case 'print':
        out.push(pythonStr(evaluator.evaluate(statement.value, scope), budget));
        return undefined;
      case 'set':
        this.assign(statement.target, evaluator.evaluate(statement.value, scope), scope);
        return undefined;
      case 'setBlock': {
        const text = this.block(statement.body, scope);
        const { filter } = statement;
        this.assign(
          statement.target,
          filter === undefined ? text : evaluator.evaluate(filter, scope, text),
          scope,
        );
        return undefined;
      }
      case 'if': {
        const branch = statement.branches.find(({ test }) => truthy(evaluator.evaluate(test, scope)));
        return this.run(branch?.body ?? statement.otherwise, scope, out);
      }
      case 'for':
        out.push(this.loop(statement, evaluator.evaluate(statement.iterable, scope), scope, 0));
        return undefined;
      case 'macro':
        scope.set(statement.name, this.macro(statement.name, statement, scope));
        return undefined;
      case 'call':
        out.push(this.callBlock(statement, scope));
        return undefined;
      case 'filterBlock': {
        const text = this.block(statement.body, scope);
        out.push(pythonStr(evaluator.evaluate(statement.filter, scope, text), budget));
        return undefined;
      }
      case 'with': {
        const inner = new Scope([], scope);
        for (const { target, value } of statement.values)
          this.assign(target, evaluator.evaluate(value, scope), inner);
        return this.run(statement.body, inner, out);
      }
      case 'generation': {
        const text = this.block(statement.body, scope);
        out.push(this.options.generation === undefined ? text : tagged(text, this.options.generation));
        return undefined;
      }
      default:
        return statement.type;
    }
  }

  /** What a block writes that has names of its own. */
  private block(body: readonly Statement[], scope: Scope): Text {
    return this.budget.nested(() => this.text(body, new Scope([], scope)));
  }

  private loop(statement: Of<'for'>, iterable: Value, scope: Scope, depth: number): Text {
    return this.budget.nested(() => {
      const { target, test, isRecursive, body, otherwise } = statement;
      const passes = (item: Value) => {
        if (test === undefined) return true;
        const inner = new Scope([], scope);
        this.assign(target, item, inner);
        return truthy(this.evaluator.evaluate(test, inner));
      };
      const items = iterate(iterable, this.budget).filter(passes);
      const recurse = isRecursive
        ? (inner: Value) => this.loop(statement, inner, scope, depth + 1)
        : undefined;
      const loop = new Loop(items, 0, depth, recurse);
      const out: Text[] = [];
      let isCompleted = false;
      for (const [index, item] of items.entries()) {
        this.budget.step();
        loop.index = index;
        const inner = new Scope([['loop', loop]], scope);
        this.assign(target, item, inner);
        const written: Text[] = [];
        const jump = this.run(body, inner, written);
        const tag = this.options.tagOf?.(item);
        if (tag === undefined) for (const part of written) out.push(part);
        else out.push(tagged(this.joined(written), tag));
        if (jump === 'break') break;
        isCompleted ||= jump === undefined;
      }
      // As in jinja2, a loop that no pass went through to its end has an else too.
      if (!isCompleted) this.run(otherwise, new Scope([], scope), out);
      return this.joined(out);
    });
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.type === 'name') scope.set(target.name, value);
    else if (target.type === 'namespace') {
      const found = scope.get(target.name);
      if (!(found instanceof Namespace)) throw typeError('cannot assign attribute on non-namespace object');
      found.values.set(target.attribute, value);
    } else {
      const items = iterate(value, this.budget);
      const { length } = target.items;
      if (items.length > length) {
        throw new TemplateError('ValueError', `too many values to unpack (expected ${length})`);
      }
      if (items.length < length) {
        throw new TemplateError(
          'ValueError',
          `not enough values to unpack (expected ${length}, got ${items.length})`,
        );
      }
      target.items.forEach((one, index) => this.assign(one, items[index]!, scope));
    }
  }

  private macro(
    name: string,
    { signature, body, uses }: Pick<Of<'macro'>, 'signature' | 'body' | 'uses'>,
    home: Scope,
  ) {
    return new Callable(name, (args, named) =>
      this.budget.nested(() => {
        const { names, defaults } = signature;
        const scope = new Scope([], home);
        const left = new Map(named);
        const pending: (() => void)[] = [];
        names.forEach((parameter, index) => {
          const given = index < args.length ? args[index] : left.get(parameter);
          if (index >= args.length) left.delete(parameter);
          const otherwise = defaults[index - (names.length - defaults.length)];
          scope.set(parameter, known(given, `parameter '${parameter}' was not provided`));
          if (given === undefined && otherwise !== undefined) {
            pending.push(() => scope.set(parameter, this.evaluator.evaluate(otherwise, scope)));
          }
        });
        if (uses.has('caller') && !names.includes('caller')) {
          scope.set('caller', known(left.get('caller'), 'No caller defined'));
          left.delete('caller');
        }
        if (uses.has('kwargs')) scope.set('kwargs', new Dict(left));
        else if (left.size > 0)
          throw typeError(`macro '${name}' takes no keyword argument '${[...left.keys()][0]}'`);
        if (uses.has('varargs')) scope.set('varargs', new Tuple(args.slice(names.length)));
        else if (args.length > names.length) {
          throw typeError(`macro '${name}' takes not more than ${names.length} argument(s)`);
        }
        for (const evaluate of pending) evaluate();
        return this.text(body, scope);
      }),
    );
  }

  private callBlock(statement: Of<'call'>, scope: Scope): Text {
    const caller = this.macro('caller', statement, scope);
    const { call } = statement;
    if (call.type !== 'call') throw notSupported('a call block without a call');
    const { args, named } = this.evaluator.args(call.args, scope);
    const callee = this.evaluator.evaluate(call.callee, scope);
    const result = this.evaluator.call(callee, args, new Map([...named, ['caller', caller]]));
    return pythonStr(result, this.budget);
  }
}
