import type { Expression, Signature, Statement, Target, Template } from './nodes.js';
import { ExpressionParser } from './parse-expression.js';
import { TemplateError } from './template-error.js';

const maxSourceLength = 4 * 2 ** 20;
const reserved = ['true', 'True', 'false', 'False', 'none', 'None'];
const unsupported = ['include', 'import', 'from', 'extends', 'block', 'autoescape', 'print'];

/**
 * Parses a template as jinja2 does in the environment of transformers: `trim_blocks`, `lstrip_blocks`, loop controls
 * and `{% generation %}`.
 *
 * @throws TemplateError `TemplateSyntaxError`, with the line
 */
export function parseTemplate(source: string): Template {
  if (source.length > maxSourceLength) {
    throw new TemplateError('TooMuchWork', `the template has more than ${maxSourceLength} characters`);
  }
  return new TemplateParser(source).template();
}

class TemplateParser extends ExpressionParser {
  private hasGenerationMarks = false;
  private statementDepth = 0;

  template(): Template {
    const body = this.body([]);
    return { body, source: this.source, hasGenerationMarks: this.hasGenerationMarks };
  }

  /** Statements up to the tag of one of the names, whose `{%` is taken and whose name is not. */
  private body(ends: readonly string[]): Statement[] {
    if (++this.statementDepth > 100) throw this.syntax('blocks are nested more than 100 deep');
    const statements: Statement[] = [];
    while (!this.is('eof')) {
      if (this.is('data')) statements.push({ type: 'text', value: this.next().value });
      else if (this.skip('variable_begin')) {
        statements.push({ type: 'print', value: this.anyTuple() });
        this.expect('variable_end');
      } else {
        this.expect('block_begin');
        if (this.isName(...ends)) {
          this.statementDepth--;
          return statements;
        }
        statements.push(this.statement());
        this.expect('block_end');
      }
    }
    if (ends.length > 0) throw this.unexpected(ends.join(' or '));
    this.statementDepth--;
    return statements;
  }

  /** The body of a statement, from the end of its tag to its end tag, whose `%}` is left. */
  private bodyUntil(end: string): Statement[] {
    this.expect('block_end');
    const body = this.body([end]);
    this.next();
    return body;
  }

  private anyTuple(): Expression {
    return this.tuple(() => this.expression(), this.isEnd);
  }

  private statement(): Statement {
    const { value: name } = this.expect('name');
    switch (name) {
      case 'if':
        return this.ifStatement();
      case 'for':
        return this.forStatement();
      case 'set':
        return this.setStatement();
      case 'macro':
        return this.macro();
      case 'call':
        return this.callBlock();
      case 'filter':
        return { type: 'filterBlock', filter: this.filterChain(true), body: this.bodyUntil('endfilter') };
      case 'with':
        return this.withStatement();
      case 'generation':
        this.hasGenerationMarks = true;
        return { type: 'generation', body: this.bodyUntil('endgeneration') };
      case 'break':
      case 'continue':
        return { type: name };
    }
    if (unsupported.includes(name)) {
      throw new TemplateError('NotSupported', `the tag {% ${name} %} is not supported here`);
    }
    throw this.syntax(`unknown tag '${name}'`);
  }

  private ifStatement(): Statement {
    const branches: { test: Expression; body: Statement[] }[] = [];
    for (;;) {
      const test = this.tuple(() => this.or(), this.isEnd);
      this.expect('block_end');
      branches.push({ test, body: this.body(['elif', 'else', 'endif']) });
      const { value: tag } = this.next();
      if (tag === 'elif') continue;
      return { type: 'if', branches, otherwise: tag === 'else' ? this.bodyUntil('endif') : [] };
    }
  }

  private forStatement(): Statement {
    const target = this.target(() => this.isName('in'));
    this.expect('name', 'in');
    const iterable = this.tuple(
      () => this.or(),
      () => this.isEnd() || this.isName('recursive'),
    );
    const test = this.skip('name', 'if') ? this.expression() : undefined;
    const isRecursive = this.skip('name', 'recursive');
    this.expect('block_end');
    const body = this.body(['else', 'endfor']);
    const otherwise = this.next().value === 'else' ? this.bodyUntil('endfor') : [];
    return { type: 'for', target, iterable, test, isRecursive, body, otherwise };
  }

  private setStatement(): Statement {
    const target = this.target(() => this.is('operator', '='));
    if (this.skip('operator', '=')) return { type: 'set', target, value: this.anyTuple() };
    const filter = this.is('operator', '|') ? this.filterChain(false) : undefined;
    return { type: 'setBlock', target, filter, body: this.bodyUntil('endset') };
  }

  private target(isOver: () => boolean): Target {
    const items: Target[] = [];
    let isTuple = false;
    while (!isOver() && !this.isEnd()) {
      items.push(this.oneTarget());
      if (!this.skip('operator', ',')) break;
      isTuple = true;
    }
    if (!isTuple && items[0] !== undefined) return items[0];
    if (items.length === 0) throw this.unexpected('a name to assign to');
    return { type: 'tuple', items };
  }

  private oneTarget(): Target {
    if (this.skip('operator', '(')) {
      const inner = this.target(() => false);
      this.expect('operator', ')');
      return inner;
    }
    const { value: name } = this.expect('name');
    if (reserved.includes(name)) throw this.syntax(`can't assign to '${name}'`);
    if (!this.skip('operator', '.')) return { type: 'name', name };
    return { type: 'namespace', name, attribute: this.expect('name').value };
  }

  private macro(): Statement {
    const { value: name } = this.expect('name');
    return { type: 'macro', name, ...this.macroBody(this.signature(), 'endmacro') };
  }

  private callBlock(): Statement {
    const signature = this.is('operator', '(') ? this.signature() : { names: [], defaults: [] };
    const call = this.expression();
    if (call.type !== 'call') throw this.syntax('expected call');
    return { type: 'call', call, ...this.macroBody(signature, 'endcall') };
  }

  private macroBody(signature: Signature, end: string) {
    this.names.push(new Set());
    const body = this.bodyUntil(end);
    const uses = this.names.pop()!;
    for (const name of uses) this.names.at(-1)!.add(name);
    return { signature, body, uses };
  }

  private signature(): Signature {
    const names: string[] = [];
    const defaults: Expression[] = [];
    this.expect('operator', '(');
    while (!this.is('operator', ')')) {
      if (names.length > 0) this.expect('operator', ',');
      names.push(this.expect('name').value);
      if (this.skip('operator', '=')) defaults.push(this.expression());
      else if (defaults.length > 0) throw this.syntax('non-default argument follows default argument');
    }
    this.expect('operator', ')');
    return { names, defaults };
  }

  private withStatement(): Statement {
    const values: { target: Target; value: Expression }[] = [];
    while (!this.is('block_end')) {
      if (values.length > 0) this.expect('operator', ',');
      const target = this.target(() => this.is('operator', '='));
      this.expect('operator', '=');
      values.push({ target, value: this.expression() });
    }
    return { type: 'with', values, body: this.bodyUntil('endwith') };
  }
}
