import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import type { ChatVariables } from '../template/chat-template.js';
import { sharedEnds } from './shared-ends.js';
import type { TextSpan } from './text-span.js';
import type { Tokenizer } from '../tokenizer.js';

// Private-use characters: no template and hardly a text has them. They stand for an answer to find where it goes.
const stand = '\u{E0F3}answer\u{E0F4}';

/**
 * Where in the rendered text of a chat the assistant's answers are, each with its end of turn (and what the template
 * writes after that, before the next header). All from renders of parts of the chat, never from searching tokens.
 *
 * An answer begins where the same chat without it, asked for a generation, ends: what the model has to produce. It
 * ends where the chat up to and with it ends. Templates that rewrite earlier turns (Qwen3 drops their thinking) make
 * those renders differ from the whole text; then the answer is replaced by a mark to see what stands around it.
 *
 * @param text `tokenizer.renderChat(messages)`
 * @param withHeader include the header of the assistant turns
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when the template leaves an answer out of the text
 */
export function answerSpans(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  given: ChatVariables,
  text: string,
  withHeader: boolean,
): TextSpan[] {
  const spans: TextSpan[] = [];
  for (const [turn, message] of messages.entries()) {
    if (message.role === 'assistant')
      spans.push(answerSpan(new Turn(tokenizer, messages, given, turn, text), withHeader));
  }
  return spans;
}

function answerSpan(turn: Turn, withHeader: boolean): TextSpan {
  const { text } = turn;
  const asked = turn.before(true);
  const done = turn.isLast ? text : turn.upTo();
  const start =
    asked !== undefined && text.startsWith(asked)
      ? { content: asked.length, header: asked.length }
      : turn.findStart();
  if (withHeader) {
    const plain = turn.before(false);
    const isCut = plain !== undefined && text.startsWith(plain) && plain.length <= start.content;
    start.header = isCut ? plain.length : start.header;
  }
  const isCut = done !== undefined && text.startsWith(done) && done.length >= start.content;
  const end = isCut ? done.length : turn.findEnd();
  return { start: withHeader ? start.header : start.content, end: Math.max(end, start.content) };
}

/** One assistant turn of a chat. Renders that the template refuses are undefined. */
class Turn {
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly messages: readonly ChatMessage[],
    private readonly given: ChatVariables,
    private readonly index: number,
    readonly text: string,
  ) {}

  get isLast(): boolean {
    return this.index === this.messages.length - 1;
  }

  /** The chat before this turn, with or without the header that asks for it. */
  before(addGenerationPrompt: boolean): string | undefined {
    return this.render(this.messages.slice(0, this.index), addGenerationPrompt);
  }

  /** The chat up to and with this turn. */
  upTo(): string | undefined {
    return this.render(this.messages.slice(0, this.index + 1));
  }

  /** Where the answer starts when the render before it is no beginning of the whole text. */
  findStart(): { content: number; header: number } {
    const content = sharedEnds.leading(this.text, this.marked(this.index).whole);
    const asked = this.before(true);
    const plain = this.before(false);
    if (asked === undefined || plain === undefined || !asked.startsWith(plain))
      return { content, header: content };
    const header = asked.slice(plain.length);
    const from = this.index === 0 ? 0 : this.endOfContent(this.index - 1);
    // The header may be longer where an answer is asked for than where one is shown (it opens a <think>).
    for (let length = header.length; length > 0 && length * 3 >= header.length; length--) {
      const at = this.text.slice(from, content).lastIndexOf(header.slice(0, length));
      if (at >= 0) return { content: from + at + length, header: from + at };
    }
    return { content, header: content };
  }

  /** Where the turn ends when the render up to it is no beginning of the whole text. */
  findEnd(): number {
    const end = this.endOfContent(this.index);
    const alone = this.render([...this.messages.slice(0, this.index), { ...this.turn, content: stand }]);
    const mark = alone?.lastIndexOf(stand) ?? -1;
    if (alone === undefined || mark < 0) return end;
    const closing = alone.slice(mark + stand.length);
    const shared = closing.slice(0, sharedEnds.leading(closing, this.text.slice(end)));
    if (shared.length === closing.length) return end + shared.length;
    // The last turn of a chat closes otherwise. Do not take the first letters of the next header along.
    return end + (/^[\s\S]*[>\]\s]/.exec(shared)?.[0].length ?? 0);
  }

  private get turn(): ChatMessage {
    return this.messages[this.index] as ChatMessage;
  }

  private endOfContent(index: number): number {
    return this.text.length - sharedEnds.trailing(this.text, this.marked(index).whole);
  }

  /** The whole chat with the mark in place of one message's content. */
  private marked(index: number): { whole: string } {
    const message = { ...(this.messages[index] as ChatMessage), content: stand };
    const whole = this.render(this.messages.with(index, message));
    if (whole?.includes(stand)) return { whole };
    throw new AdaptiveTrainerError(
      'CHAT_TEMPLATE_FAILED',
      `Expected the chat template of ${this.tokenizer.dir} to write the content of message ${index} ` +
        `(${message.role}) into the text, but it leaves it out, so what to train on cannot be told. ` +
        `Remove that message, or set a template that keeps it.`,
      { details: { path: this.tokenizer.dir, message: index, role: message.role } },
    );
  }

  private render(messages: readonly ChatMessage[], addGenerationPrompt = false): string | undefined {
    try {
      return this.tokenizer.renderChat(messages, { ...this.given, addGenerationPrompt });
    } catch {
      return undefined;
    }
  }
}
