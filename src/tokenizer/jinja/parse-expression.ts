import { Lexer, lineOf, type Token, type TokenType } from './lex.js';
import type { Argument, Expression } from './nodes.js';
import { TemplateError } from './template-error.js';

const comparisons = new Set(['==', '!=', '<', '<=', '>', '>=']);
const constants = new Map<string, null | boolean>([
  ...(['true', 'True'] as const).map((name) => [name, true] as const),
  ...(['false', 'False'] as const).map((name) => [name, false] as const),
  ...(['none', 'None'] as const).map((name) => [name, null] as const),
]);

type Shape<E> = E extends unknown ? Omit<E, 'start' | 'end'> : never;

/** Parses expressions as jinja2's parser does, precedence included (`~` binds closer than `+`, `**` to the left). */
export class ExpressionParser {
  readonly source: string;
  /** Names that were read, for the macro whose body is being parsed. */
  protected readonly names: Set<string>[] = [new Set()];
  private readonly tokens: readonly Token[];
  private position = 0;
  private depth = 0;

  constructor(source: string) {
    const lexer = new Lexer(source);
    this.source = lexer.source;
    this.tokens = lexer.tokens;
  }

  protected get token(): Token {
    return this.tokens[this.position]!;
  }

  protected next(): Token {
    const { token } = this;
    if (token.type !== 'eof') this.position++;
    return token;
  }

  protected is(type: TokenType, value?: string): boolean {
    return this.token.type === type && (value === undefined || this.token.value === value);
  }

  protected isName(...names: string[]): boolean {
    return this.token.type === 'name' && names.includes(this.token.value);
  }

  protected skip(type: TokenType, value?: string): boolean {
    if (!this.is(type, value)) return false;
    this.next();
    return true;
  }

  protected expect(type: TokenType, value?: string): Token {
    if (this.is(type, value)) return this.next();
    throw this.unexpected(value ?? type.replace('_', ' '));
  }

  protected unexpected(expected: string): TemplateError {
    const found = this.token.type === 'eof' ? 'the end of the template' : `'${this.token.value}'`;
    return this.syntax(`expected ${expected} but found ${found}`);
  }

  protected syntax(message: string): TemplateError {
    const line = lineOf(this.source, this.token.start);
    return new TemplateError('TemplateSyntaxError', `${message} (line ${line})`);
  }

  protected node(start: number, shape: Shape<Expression>): Expression {
    const end = this.tokens[Math.max(0, this.position - 1)]!.end;
    return { ...shape, start, end } as Expression;
  }

  expression(): Expression {
    if (++this.depth > 200) throw this.syntax('expressions are nested more than 200 deep');
    const { start } = this.token;
    let value = this.or();
    while (this.skip('name', 'if')) {
      const test = this.or();
      const no = this.skip('name', 'else') ? this.expression() : undefined;
      value = this.node(start, { type: 'condition', test, yes: value, no });
    }
    this.depth--;
    return value;
  }

  /** One or more expressions; with a comma they are a tuple. `isEnd` tells where a trailing comma may stand. */
  protected tuple(one: () => Expression, isEnd: () => boolean, mayBeEmpty = false): Expression {
    const { start } = this.token;
    const items: Expression[] = [];
    let isTuple = false;
    while (!isEnd()) {
      items.push(one());
      if (!this.is('operator', ',')) break;
      this.next();
      isTuple = true;
    }
    if (!isTuple && items[0] !== undefined) return items[0];
    if (items.length === 0 && !mayBeEmpty) throw this.unexpected('an expression');
    return this.node(start, { type: 'tuple', items });
  }

  protected isEnd = () =>
    ['variable_end', 'block_end', 'eof'].includes(this.token.type) || this.is('operator', ')');

  protected or(): Expression {
    const { start } = this.token;
    let left = this.and();
    while (this.skip('name', 'or')) left = this.node(start, { type: 'or', left, right: this.and() });
    return left;
  }

  private and(): Expression {
    const { start } = this.token;
    let left = this.not();
    while (this.skip('name', 'and')) left = this.node(start, { type: 'and', left, right: this.not() });
    return left;
  }

  private not(): Expression {
    const { start } = this.token;
    let count = 0;
    while (this.skip('name', 'not')) count++;
    let value = this.compare();
    for (; count > 0; count--) value = this.node(start, { type: 'not', value });
    return value;
  }

  private compare(): Expression {
    const { start } = this.token;
    const first = this.sum();
    const rest: { operator: string; value: Expression }[] = [];
    for (;;) {
      let operator: string;
      if (this.is('operator') && comparisons.has(this.token.value)) operator = this.next().value;
      else if (this.skip('name', 'in')) operator = 'in';
      else if (this.isName('not') && this.tokens[this.position + 1]?.value === 'in') {
        this.position += 2;
        operator = 'not in';
      } else break;
      rest.push({ operator, value: this.sum() });
    }
    return rest.length === 0 ? first : this.node(start, { type: 'compare', first, rest });
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat());
  }

  private concat(): Expression {
    const { start } = this.token;
    const items = [this.product()];
    while (this.skip('operator', '~')) items.push(this.product());
    return items.length === 1 ? items[0]! : this.node(start, { type: 'concat', items });
  }

  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.binary(['**'], () => this.unary(true)));
  }

  private binary(operators: string[], operand: () => Expression): Expression {
    const { start } = this.token;
    let left = operand();
    while (this.is('operator') && operators.includes(this.token.value)) {
      const operator = this.next().value;
      left = this.node(start, { type: 'binary', operator, left, right: operand() });
    }
    return left;
  }

  private unary(withFilter: boolean): Expression {
    const { start } = this.token;
    let value: Expression;
    if (this.is('operator', '-') || this.is('operator', '+')) {
      if (++this.depth > 200) throw this.syntax('signs are nested more than 200 deep');
      const type = this.next().value === '-' ? 'negative' : 'positive';
      value = this.node(start, { type, value: this.unary(false) });
      this.depth--;
    } else value = this.primary();
    value = this.postfix(value, start);
    return withFilter ? this.filters(value, start) : value;
  }

  private primary(): Expression {
    const token = this.next();
    const { start, value } = token;
    switch (token.type) {
      case 'name': {
        const constant = constants.get(value);
        if (constant !== undefined) return this.node(start, { type: 'constant', value: constant });
        this.names.at(-1)!.add(value);
        return this.node(start, { type: 'name', name: value });
      }
      case 'string': {
        let text = value;
        while (this.is('string')) text += this.next().value;
        return this.node(start, { type: 'constant', value: text });
      }
      case 'integer':
        return this.node(start, { type: 'constant', value: readInteger(value) });
      case 'float':
        return this.node(start, { type: 'constant', value: Number(value.replaceAll('_', '')) });
    }
    if (token.type === 'operator' && value === '(') {
      const inner = this.tuple(() => this.expression(), this.isEnd, true);
      this.expect('operator', ')');
      return { ...inner, start, end: this.tokens[this.position - 1]!.end };
    }
    if (token.type === 'operator' && value === '[') {
      const items = this.list(']', () => this.expression());
      return this.node(start, { type: 'list', items });
    }
    if (token.type === 'operator' && value === '{') {
      const entries = this.list('}', (): [Expression, Expression] => {
        const key = this.expression();
        this.expect('operator', ':');
        return [key, this.expression()];
      });
      return this.node(start, { type: 'dict', entries });
    }
    if (token.type !== 'eof') this.position--;
    throw this.unexpected('an expression');
  }

  private list<T>(closer: string, one: () => T): T[] {
    const items: T[] = [];
    while (!this.is('operator', closer)) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.is('operator', closer)) break;
      items.push(one());
    }
    this.expect('operator', closer);
    return items;
  }

  private postfix(value: Expression, start: number): Expression {
    for (;;) {
      if (this.skip('operator', '.')) {
        if (this.is('integer')) {
          const token = this.next();
          const key = this.node(token.start, { type: 'constant', value: readInteger(token.value) });
          value = this.node(start, { type: 'item', object: value, key });
        } else {
          const name = this.expect('name').value;
          value = this.node(start, { type: 'attribute', object: value, name });
        }
      } else if (this.skip('operator', '[')) {
        const from = this.token.start;
        const keys = this.list(']', () => this.subscript());
        if (keys.length === 0) throw this.unexpected('an index');
        const key = keys.length === 1 ? keys[0]! : this.node(from, { type: 'tuple', items: keys });
        value = this.node(start, { type: 'item', object: value, key });
      } else if (this.is('operator', '(')) {
        value = this.node(start, { type: 'call', callee: value, args: this.args() });
      } else return value;
    }
  }

  private subscript(): Expression {
    const { start } = this.token;
    const isOver = () => this.is('operator', ']') || this.is('operator', ',') || this.is('operator', ':');
    const parts: (Expression | undefined)[] = [isOver() ? undefined : this.expression()];
    if (!this.is('operator', ':')) return parts[0] ?? this.fail();
    while (parts.length < 3 && this.skip('operator', ':'))
      parts.push(isOver() ? undefined : this.expression());
    return this.node(start, { type: 'slice', parts });
  }

  private fail(): never {
    throw this.unexpected('an expression');
  }

  private filters(value: Expression, start: number): Expression {
    for (;;) {
      if (this.is('operator', '|')) value = this.filter(value, start);
      else if (this.isName('is')) value = this.test(value, start);
      else if (this.is('operator', '(')) {
        value = this.node(start, { type: 'call', callee: value, args: this.args() });
      } else return value;
    }
  }

  /** Filters from `|` on; of a block, the first one follows without. */
  protected filterChain(startInline: boolean): Expression {
    const { start } = this.token;
    let value = startInline ? this.namedFilter(undefined, start) : this.filter(undefined, start);
    while (this.is('operator', '|')) value = this.filter(value, start);
    return value;
  }

  private filter(value: Expression | undefined, start: number): Expression {
    this.expect('operator', '|');
    return this.namedFilter(value, start);
  }

  private namedFilter(value: Expression | undefined, start: number): Expression {
    const name = this.dotted();
    const args = this.is('operator', '(') ? this.args() : [];
    return this.node(start, { type: 'filter', name, value, args });
  }

  private test(value: Expression, start: number): Expression {
    this.next();
    const isNegated = this.skip('name', 'not');
    const name = this.dotted();
    let args: Argument[] = [];
    if (this.is('operator', '(')) args = this.args();
    else if (this.startsArgument()) {
      if (this.isName('is')) throw this.syntax('You cannot chain multiple tests with is');
      const from = this.token.start;
      args = [{ kind: 'positional', value: this.postfix(this.primary(), from) }];
    }
    const test = this.node(start, { type: 'test', name, value, args });
    return isNegated ? this.node(start, { type: 'not', value: test }) : test;
  }

  private startsArgument(): boolean {
    const { type, value } = this.token;
    if (type === 'operator') return ['(', '[', '{'].includes(value);
    return ['name', 'string', 'integer', 'float'].includes(type) && !this.isName('else', 'or', 'and');
  }

  private dotted(): string {
    let name = this.expect('name').value;
    while (this.skip('operator', '.')) name += `.${this.expect('name').value}`;
    return name;
  }

  protected args(): Argument[] {
    this.expect('operator', '(');
    let last: Argument['kind'] = 'positional';
    return this.list(')', (): Argument => {
      const argument = this.argument();
      if (argument.kind === 'positional' && last !== 'positional') {
        throw this.syntax('invalid syntax for function call expression');
      }
      last = argument.kind;
      return argument;
    });
  }

  private argument(): Argument {
    if (this.skip('operator', '*')) return { kind: 'list', value: this.expression() };
    if (this.skip('operator', '**')) return { kind: 'dict', value: this.expression() };
    const after = this.tokens[this.position + 1];
    if (this.is('name') && after?.type === 'operator' && after.value === '=') {
      const name = this.next().value;
      this.next();
      return { kind: 'named', name, value: this.expression() };
    }
    return { kind: 'positional', value: this.expression() };
  }
}

function readInteger(digits: string): bigint {
  return BigInt(digits.replaceAll('_', '').toLowerCase());
}
