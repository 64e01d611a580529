const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const word = /true|false|null/y;
const space = /[ \t\n\r]*/y;

/**
 * Offset of the first character at which a text stops being JSON; its length where the text ends too early; undefined
 * where it is valid. JSON.parse knows, but V8 leaves the position out of most of its messages.
 */
export function locateJsonError(text: string): number | undefined {
  const scanner = new Scanner(text);
  if (scanner.value()) {
    scanner.skip(space);
    if (scanner.at === text.length) return undefined;
  }
  return scanner.at;
}

/** Reads JSON without building it. Each method returns false with `at` on the offending character. */
class Scanner {
  at = 0;

  constructor(private readonly text: string) {}

  /** With a list of what is open in place of calls within calls: a text may open more than the stack holds. */
  value(): boolean {
    const open: ('}' | ']')[] = [];
    for (;;) {
      this.skip(space);
      const first = this.text[this.at];
      if (first === '{' || first === '[') {
        const close = first === '{' ? '}' : ']';
        this.at++;
        this.skip(space);
        if (!this.take(close)) {
          open.push(close);
          if (close === '}' && !this.key()) return false;
          continue;
        }
      } else if (!(first === '"' ? this.string() : this.skip(word) || this.skip(number))) return false;
      const next = this.afterValue(open);
      if (next !== 'value') return next === 'end';
    }
  }

  skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }

  /** Closes what ends after a value, up to the comma before the next one. */
  private afterValue(open: string[]): 'value' | 'end' | 'error' {
    for (;;) {
      const close = open.at(-1);
      if (close === undefined) return 'end';
      this.skip(space);
      if (this.take(close)) open.pop();
      else return this.take(',') && (close === ']' || this.key()) ? 'value' : 'error';
    }
  }

  private key(): boolean {
    this.skip(space);
    if (this.text[this.at] !== '"' || !this.string()) return false;
    this.skip(space);
    return this.take(':');
  }

  /** Character by character: a regular expression for the whole would run out of stack on a book-long string. */
  private string(): boolean {
    this.at++;
    while (this.at < this.text.length) {
      const character = this.text[this.at] as string;
      if (character === '\\') {
        if (!this.skip(escape)) return false;
      } else if (character < ' ') {
        return false; // a raw newline or tab
      } else {
        this.at++;
        if (character === '"') return true;
      }
    }
    return false;
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }
}
