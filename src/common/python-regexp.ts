/** What JavaScript has no equal for, as a Python pattern writes it. */
const unavailable: readonly [RegExp, string][] = [
  [/^\(\?\(/, 'a condition, (?(1)…|…)'],
  [/^\(\?>/, 'an atomic group, (?>…)'],
  [/^\(\?<(?![=!])/, '(?<, which Python does not know: a named group is (?P<name>…)'],
  [/^(\*|\+|\?|\}(?<=\{\d*,?\d*\}))\+/, 'a possessive quantifier'],
];
const knownFlags = 'aiLmsux';

/**
 * A regular expression as Python's `re` reads it: (?P<name>…), (?P=name), \A, \Z, {,n}, comments, and (?i) for the whole or
 * for a group.
 * @throws SyntaxError where Python refuses it, or JavaScript has no equal
 */
export function pythonRegExp(pattern: string): RegExp {
  const global = /^\(\?([aiLmsux]+)\)/.exec(pattern);
  const flags = new Set(global?.[1] ?? '');
  const source = new Translation(pattern.slice(global?.[0].length ?? 0), flags.has('i')).run();
  refuseFlags(flags);
  return new RegExp(source, [...flags].filter((flag) => flag === 'm' || flag === 's').join(''));
}

function refuseFlags(flags: ReadonlySet<string>): void {
  for (const flag of flags) {
    if (!knownFlags.includes(flag)) throw new SyntaxError(`unknown flag ${flag}`);
    if (flag === 'x' || flag === 'L') throw new SyntaxError(`the flag ${flag} of Python is not available`);
  }
}

/** Letters that are matched in either case are written as sets, since only part of a pattern may want it. */
class Translation {
  private at = 0;
  private readonly ignoresCase: boolean[];

  constructor(
    private readonly text: string,
    ignoreCase: boolean,
  ) {
    this.ignoresCase = [ignoreCase];
  }

  run(): string {
    let out = '';
    while (this.at < this.text.length) out += this.next();
    return out;
  }

  private next(): string {
    const rest = this.text.slice(this.at);
    for (const [found, what] of unavailable)
      if (found.test(rest)) throw new SyntaxError(`${what} is not available`);
    if (rest.startsWith('(')) return this.group(rest);
    if (rest.startsWith('[')) return this.set();
    if (rest.startsWith('\\')) return this.escape(rest, false);
    if (rest.startsWith(')')) {
      this.ignoresCase.pop();
      if (this.ignoresCase.length === 0) throw new SyntaxError('unbalanced parenthesis');
    }
    const quantifier = /^\{(\d*)(,?)(\d*)\}/.exec(rest);
    if (quantifier !== null && (quantifier[1] !== '' || quantifier[3] !== '' || quantifier[2] === ',')) {
      if (rest[quantifier[0].length] === '+')
        throw new SyntaxError('a possessive quantifier is not available');
      this.at += quantifier[0].length;
      return `{${quantifier[1] === '' ? '0' : quantifier[1]}${quantifier[2]}${quantifier[3]}}`;
    }
    this.at++;
    return rest[0] === '{' || rest[0] === '}' ? `\\${rest[0]}` : this.letter(rest[0]!);
  }

  private group(rest: string): string {
    const comment = /^\(\?#[^)]*\)/.exec(rest);
    if (comment !== null) return this.taken(comment[0], '');
    const reference = /^\(\?P=(\w+)\)/.exec(rest);
    if (reference !== null) return this.taken(reference[0], `\\k<${reference[1]}>`);
    const scoped = /^\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?(:|\))/.exec(rest);
    if (scoped !== null) return this.scope(scoped);
    const opening = /^\((?:\?P<\w+>|\?<?[=!])?/.exec(rest)![0];
    if (opening === '(' && rest[1] === '?') throw new SyntaxError(`unknown extension ${rest.slice(0, 3)}`);
    this.ignoresCase.push(this.ignoresCase.at(-1)!);
    return this.taken(opening, opening.replace('?P<', '?<'));
  }

  private scope([opening, on = '', off = '', end]: RegExpExecArray): string {
    refuseFlags(new Set([...on, ...off]));
    if (end === ')') throw new SyntaxError('global flags not at the start of the expression');
    if (/[ms]/.test(on + off)) throw new SyntaxError('the flags m and s for a group alone are not available');
    const outer = this.ignoresCase.at(-1)!;
    this.ignoresCase.push(off.includes('i') ? false : on.includes('i') || outer);
    return this.taken(opening, '(?:');
  }

  private taken(written: string, translated: string): string {
    this.at += written.length;
    return translated;
  }

  /** In Python, ] stands for itself where it comes first. */
  private set(): string {
    const opening = /^\[\^?\]?/.exec(this.text.slice(this.at))![0];
    let out = opening.replace(']', '\\]');
    this.at += opening.length;
    let body = '';
    while (this.text[this.at] !== ']') {
      if (this.at >= this.text.length) throw new SyntaxError('unterminated character set');
      const rest = this.text.slice(this.at);
      if (rest.startsWith('\\')) body += this.escape(rest, true);
      else body += rest[0] === '[' ? (this.at++, '\\[') : (this.at++, rest[0]);
    }
    this.at++;
    out += body;
    return `${this.ignoresCase.at(-1)! ? bothCases(out) : out}]`;
  }

  private escape(rest: string, inSet: boolean): string {
    const letter = rest[1];
    if (letter === undefined) throw new SyntaxError('bad escape (end of pattern)');
    const isKnown = /[abfnrtvxuU0-9dDsSwW\\]/.test(letter) || (!inSet && /[ABZ]/.test(letter));
    if (/[a-zA-Z]/.test(letter) && !isKnown) throw new SyntaxError(`bad escape \\${letter}`);
    if (letter === 'U') throw new SyntaxError('the escape \\U is not available');
    this.at += 2;
    if (letter === 'A') return '(?<![\\s\\S])';
    if (letter === 'Z') return '(?![\\s\\S])';
    if (letter === 'a') return '\\x07';
    return `\\${letter}`;
  }

  private letter(letter: string): string {
    if (!this.ignoresCase.at(-1)! || !/[a-zA-Z]/.test(letter)) return letter;
    return `[${letter.toLowerCase()}${letter.toUpperCase()}]`;
  }
}

/** The letters and ranges of letters of a set, in both cases. */
function bothCases(set: string): string {
  const more = [...set.matchAll(/\\.|([a-zA-Z])(?:-([a-zA-Z]))?/g)]
    .filter((match) => match[1] !== undefined)
    .map(([, first, last]) => {
      const ends = last === undefined ? [first!] : [first!, last];
      const swapped = ends.map((end) => (end === end.toLowerCase() ? end.toUpperCase() : end.toLowerCase()));
      return swapped.join('-');
    });
  return set + more.join('');
}
