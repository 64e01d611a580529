import { TemplateError } from './template-error.js';

// A template comes from the Hub, so it may ask for anything. A long chat in a large template takes some 10⁶ steps.
const baseSteps = 20_000_000;
const stepsPerItem = 40_000;
const maxTextLength = 64 * 2 ** 20;
const maxDepth = 120;

/** Bounds what one render may do: steps (an operation, an item of a list, 64 characters of a new text), text, depth. */
export class Budget {
  private left: number;
  private depth = 0;

  /** @param items messages and tools of the chat: a longer chat may take more steps */
  constructor(items: number) {
    this.left = baseSteps + items * stepsPerItem;
  }

  step(count = 1): void {
    this.left -= count;
    if (this.left < 0) throw tooMuch('it takes too many steps for a chat of this size');
  }

  /** Called before a text of this length is made. */
  text(length: number): void {
    if (length > maxTextLength) throw tooMuch(`it makes a text of more than ${maxTextLength} characters`);
    this.step(1 + (length >> 6));
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
