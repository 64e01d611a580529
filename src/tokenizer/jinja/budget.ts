import { TemplateError } from './template-error.js';

// A template comes from the Hub, so it may ask for anything. Real ones take some hundred steps a message; those that go
// through all messages for each of them, some thousand.
const baseSteps = 2_000_000;
const stepsPerItem = 40_000;
const stepsPerCharacter = 20;
const baseTextLength = 16 * 2 ** 20;
const maxDepth = 120;

/** Bounds what one render may do: steps (an operation, half an item of a list, 8 characters of a text), text, depth. */
export class Budget {
  private left: number;
  private readonly maxTextLength: number;
  private depth = 0;

  /**
   * A longer chat may take more.
   *
   * @param items messages and tools of the chat
   * @param length characters of the messages
   */
  constructor(items: number, length = 0) {
    this.left = baseSteps + items * stepsPerItem + length * stepsPerCharacter;
    this.maxTextLength = baseTextLength + 4 * length;
  }

  step(count = 1): void {
    this.left -= count;
    if (this.left < 0) throw tooMuch('it takes too many steps for a chat of this size');
  }

  /** Called before a text of this length is made. */
  text(length: number): void {
    if (length > this.maxTextLength)
      throw tooMuch(`it makes a text of more than ${this.maxTextLength} characters`);
    this.read(length);
  }

  /** Called before a text of this length is gone through. */
  read(length: number): void {
    this.step(1 + (length >> 3));
  }

  /** Called before a list of this many items is made. */
  items(count: number): void {
    this.step(1 + count * 2);
  }

  /** Runs something that may nest: a macro, a loop, a block. */
  nested<T>(run: () => T): T {
    if (++this.depth > maxDepth) throw tooMuch(`it nests more than ${maxDepth} calls and loops`);
    try {
      return run();
    } finally {
      this.depth--;
    }
  }
}

function tooMuch(what: string): TemplateError {
  return new TemplateError('TooMuchWork', `the template was stopped: ${what}`);
}
