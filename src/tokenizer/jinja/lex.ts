import { isPythonSpace, pythonStrip } from './python-strip.js';
import { TemplateError } from './template-error.js';
import { unescapeString } from './unescape-string.js';

export type TokenType =
  | 'data'
  | 'variable_begin'
  | 'variable_end'
  | 'block_begin'
  | 'block_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'eof';

export interface Token {
  type: TokenType;
  /** Text, name or operator; of a string its value, of a number its digits. */
  value: string;
  /** UTF-16 offsets in the normalised source. */
  start: number;
  end: number;
}

const space = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const whiteSpace = new RegExp(`${space}+`, 'uy');
const rawBegin = new RegExp(`\\{%([-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\})`, 'uy');
const rawEnd = new RegExp(`\\{%([-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'u');
const commentEnd = new RegExp(`(?:\\+#\\}|-#\\}${space}*|#\\}\\n?)`, 'u');
const blockEnd = new RegExp(`(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'uy');
const variableEnd = new RegExp(`(?:-\\}\\}${space}*|\\}\\})`, 'uy');
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iuy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iuy;
const name = /[\p{L}\p{Nl}_][\p{L}\p{N}\p{Mn}\p{Mc}\p{Pc}]*/uy;
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/uy;
const closerOf: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

/** Splits a template into tokens as jinja2's lexer does with `trim_blocks` and `lstrip_blocks`. */
export class Lexer {
  readonly tokens: Token[] = [];
  /** The source with line ends as jinja2 sees them: CRLF and CR are LF, and the last one is gone. */
  readonly source: string;
  private at = 0;
  private lineStarting = true;

  constructor(source: string) {
    this.source = source.replace(/\r\n?/g, '\n').replace(/\n$/, '');
    while (this.at < this.source.length) this.root();
    this.push('eof', '', this.at, this.at);
  }

  private root(): void {
    const { source } = this;
    const begin = source.slice(this.at).search(/\{[%{#]/u);
    if (begin < 0) {
      this.data(source.slice(this.at), this.at);
      this.at = source.length;
      return;
    }
    const tag = this.at + begin;
    this.data(this.before(tag), this.at);
    const kind = source[tag + 1];
    if (kind === '#') this.comment(tag);
    else if (!this.raw(tag)) {
      const isBlock = kind === '%';
      const sign = source[tag + 2] ?? '';
      this.at = tag + (sign === '-' || sign === '+' ? 3 : 2);
      this.push(isBlock ? 'block_begin' : 'variable_begin', source.slice(tag, this.at), tag, this.at);
      this.inside(isBlock, tag);
    }
    this.lineStarting = source[this.at - 1] === '\n';
  }

  /** The text before a tag, less what the tag's sign and `lstrip_blocks` take off its end. */
  private before(tag: number): string {
    const text = this.source.slice(this.at, tag);
    const sign = this.source[tag + 2];
    if (sign === '-') return pythonStrip('rstrip', text);
    if (sign === '+' || this.source[tag + 1] === '{') return text;
    const line = text.lastIndexOf('\n') + 1;
    const isBlank = [...text.slice(line)].every(isPythonSpace);
    return (line > 0 || this.lineStarting) && isBlank ? text.slice(0, line) : text;
  }

  private comment(tag: number): void {
    const end = commentEnd.exec(this.source.slice(tag + 2));
    if (end === null) throw this.syntax('Missing end of comment tag', tag);
    this.at = tag + 2 + end.index + end[0].length;
  }

  private raw(tag: number): boolean {
    const begin = this.match(rawBegin, tag);
    if (begin === undefined) return false;
    const from = tag + begin.length;
    const end = rawEnd.exec(this.source.slice(from));
    if (end === null) throw this.syntax('Missing end of raw directive', tag);
    this.at = from;
    this.lineStarting = this.source[from - 1] === '\n';
    this.data(this.before(from + end.index), from);
    this.at = from + end.index + end[0].length;
    return true;
  }

  /** The tokens of a block or variable, up to and with its end. */
  private inside(isBlock: boolean, tag: number): void {
    const open: string[] = [];
    while (this.at < this.source.length) {
      const start = this.at;
      const end = open.length === 0 ? this.match(isBlock ? blockEnd : variableEnd, start) : undefined;
      if (end !== undefined) {
        this.at += end.length;
        this.push(isBlock ? 'block_end' : 'variable_end', end, start, this.at);
        return;
      }
      const blank = this.match(whiteSpace, start);
      if (blank === undefined) this.expression(open);
      else this.at += blank.length;
    }
    throw this.syntax('unexpected end of template', tag);
  }

  private expression(open: string[]): void {
    const start = this.at;
    const quote = this.source[start]!;
    if (quote === "'" || quote === '"') {
      this.at = this.endOfString(quote, start);
      this.push('string', unescapeString(this.source.slice(start + 1, this.at - 1)), start, this.at);
      return;
    }
    const rules: [TokenType, RegExp][] = [
      ['float', float],
      ['integer', integer],
      ['name', name],
      ['operator', operator],
    ];
    for (const [type, rule] of rules) {
      const found = this.match(rule, start);
      if (found === undefined) continue;
      this.at += found.length;
      if (type === 'operator') this.balance(found, open, start);
      this.push(type, found, start, this.at);
      return;
    }
    throw this.syntax(`unexpected char '${String.fromCodePoint(this.source.codePointAt(start)!)}'`, start);
  }

  /** By hand: a regular expression keeps a place to come back to for each character. */
  private endOfString(quote: string, start: number): number {
    for (let at = start + 1; at < this.source.length; at++) {
      if (this.source[at] === '\\') at++;
      else if (this.source[at] === quote) return at + 1;
    }
    throw this.syntax(`unexpected char ${quote}: the string does not end`, start);
  }

  private balance(found: string, open: string[], at: number): void {
    const closer = closerOf[found];
    if (closer !== undefined) open.push(closer);
    else if (')]}'.includes(found) && open.pop() !== found) throw this.syntax(`unexpected '${found}'`, at);
  }

  private match(rule: RegExp, at: number): string | undefined {
    rule.lastIndex = at;
    return rule.exec(this.source)?.[0];
  }

  private data(text: string, start: number): void {
    if (text !== '') this.push('data', text, start, start + text.length);
  }

  private push(type: TokenType, value: string, start: number, end: number): void {
    this.tokens.push({ type, value, start, end });
  }

  private syntax(message: string, at: number): TemplateError {
    return new TemplateError('TemplateSyntaxError', `${message} (line ${lineOf(this.source, at)})`);
  }
}

export function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}
