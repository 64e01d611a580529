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

  value(): boolean {
    this.skip(space);
    switch (this.text[this.at]) {
      case '{':
        return this.list('}', () => this.entry());
      case '[':
        return this.list(']', () => this.value());
      case '"':
        return this.string();
      default:
        return this.skip(word) || this.skip(number);
    }
  }

  skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }

  private list(close: string, item: () => boolean): boolean {
    this.at++;
    this.skip(space);
    if (this.take(close)) return true;
    for (;;) {
      if (!item()) return false;
      this.skip(space);
      if (this.take(close)) return true;
      if (!this.take(',')) return false;
    }
  }

  private entry(): boolean {
    this.skip(space);
    if (this.text[this.at] !== '"' || !this.string()) return false;
    this.skip(space);
    return this.take(':') && this.value();
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
