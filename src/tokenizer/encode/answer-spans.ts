import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import type { ChatVariables, RenderedChat } from '../template/chat-template.js';
import type { Tokenizer } from '../tokenizer.js';
import { checkAnswerIsSeen, saidIn } from './check-answer-is-seen.js';
import { specialTokenPattern } from './special-token-pattern.js';
import type { TextSpan } from './text-span.js';

/** An assistant turn in the text of a chat. */
export interface AnswerSpan extends TextSpan {
  /** The special token that ends it; undefined: none does. */
  closing: string | undefined;
}

/**
 * Where in the rendered text of a chat the assistant's answers are, each with its end of turn (and what the template
 * writes after that, before the next header). The template's own `{% generation %}` marks decide where it has any.
 *
 * The text is rendered once; it knows which of its parts come from which message. An answer begins where the header
 * ends that the template writes when it asks for one, and ends where the template's turn does. That of a message with
 * `weight: 0` is left out.
 *
 * @param rendered `tokenizer.renderChatParts(messages, given)`
 * @param withHeader include the header of the assistant turns; not with `{% generation %}` marks
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when the template leaves out something that an assistant message
 * holds, or ends one answer with a special token and another without
 */
export function answerSpans(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  given: ChatVariables,
  rendered: RenderedChat,
  withHeader: boolean,
): AnswerSpan[] {
  checkAnswerIsSeen(tokenizer, messages, rendered);
  if (rendered.generated !== undefined) {
    const said = saidIn(rendered, messages.length);
    const isLeftOut = (span: TextSpan) =>
      said.some(
        (parts, index) =>
          messages[index]!['weight'] === 0 &&
          parts.some(({ start, end }) => start >= span.start && end <= span.end),
      );
    const trained = rendered.generated.filter((span) => !isLeftOut(span));
    return trained.map((span) => ({
      ...span,
      closing: closingToken(tokenizer, rendered.text, span),
    }));
  }
  const chat = new ChatText(tokenizer, messages, given, rendered);
  const turns = [...messages.entries()]
    .filter(([, { role }]) => role === 'assistant')
    .map(([index]) => index);
  const spans = turns.map((turn) => chat.answer(turn, withHeader));
  checkClosings(tokenizer, turns, spans);
  return spans.filter((_, index) => messages[turns[index]!]!['weight'] !== 0);
}

function checkClosings(tokenizer: Tokenizer, turns: readonly number[], spans: readonly AnswerSpan[]): void {
  const closed = spans.find(({ closing }) => closing !== undefined)?.closing;
  const open = spans.findIndex(({ closing }) => closing === undefined);
  if (closed === undefined || open < 0) return;
  throw new AdaptiveTrainerError(
    'CHAT_TEMPLATE_FAILED',
    `Expected the chat template of ${tokenizer.dir} to end every answer with a special token, but it writes none after ` +
      `message ${turns[open]} (assistant), and ${closed} after another: the model would learn to go on where it should ` +
      `stop. Set a template that closes each turn (llama, phi, qwen, smollm, chatml), or train on single answers.`,
    { details: { path: tokenizer.dir, message: turns[open], closing: closed, fault: 'template' } },
  );
}

/** The rendered text of a chat, message by message. */
class ChatText {
  private readonly headers = new Map<string, string>();
  private readonly text: string;
  private readonly said: readonly TextSpan[][];

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly messages: readonly ChatMessage[],
    private readonly given: ChatVariables,
    private readonly rendered: RenderedChat,
  ) {
    this.text = rendered.text;
    this.said = saidIn(rendered, messages.length);
  }

  answer(index: number, withHeader: boolean): AnswerSpan {
    const turn = this.turn(index);
    const said = this.said[index]!.filter(({ start, end }) => start >= turn.start && end <= turn.end);
    const limit = said[0]?.start ?? turn.end;
    const found = this.findHeader(index, limit);
    const hasCalls = Array.isArray(this.messages[index]!['tool_calls']);
    const start = found?.end ?? (hasCalls || said.length === 0 ? turn.start : limit);
    const contentEnd = Math.max(start, said.at(-1)?.end ?? start);
    let end = index === this.messages.length - 1 ? this.text.length : Math.max(turn.end, contentEnd);
    let closing = closingToken(this.tokenizer, this.text, { start: contentEnd, end });
    if (closing === undefined) {
      // Some templates close a turn when the next one begins.
      const late = this.lateClosing(end);
      closing = late?.closing;
      end = late?.end ?? end;
    }
    return { start: withHeader ? (found?.start ?? turn.start) : start, end, closing };
  }

  /** What the template wrote for a message. */
  private turn(index: number): TextSpan {
    const own = this.rendered.turns.filter(({ message }) => message === index);
    const [first] = this.said[index]!;
    const around = own.filter(
      ({ start, end }) => first === undefined || (start <= first.start && end >= first.end),
    );
    const longest = around.sort((a, b) => b.end - b.start - (a.end - a.start))[0];
    if (longest !== undefined) return longest;
    // No loop over the messages wrote it: it lies between what the messages before and after say.
    const end = this.startOfNext(index);
    return { start: Math.min(this.endOfPrevious(index), first?.start ?? end), end };
  }

  /** Where what the messages before say ends; of what a template moves behind this one nothing counts. */
  private endOfPrevious(index: number): number {
    const limit = this.said[index]![0]?.start ?? Infinity;
    let latest = 0;
    for (const spans of this.said.slice(0, index)) {
      const end = spans.at(-1)?.end ?? 0;
      if (end <= limit) latest = Math.max(latest, end);
    }
    return latest;
  }

  /** Without turns to go by: after the first special token and white space that follow what the message says. */
  private startOfNext(index: number): number {
    const from = this.said[index]!.at(-1)?.end ?? this.endOfPrevious(index);
    const next = this.said.slice(index + 1).find((spans) => spans.length > 0)?.[0]?.start;
    if (next === undefined) return this.text.length;
    const gap = this.text.slice(from, next);
    const pattern = specialTokenPattern(this.tokenizer);
    const first = pattern === null ? undefined : [...gap.matchAll(pattern)][0];
    if (first === undefined) return from;
    const end = first.index + first[0].length;
    return from + end + (/^\s*/.exec(gap.slice(end))?.[0].length ?? 0);
  }

  private lateClosing(from: number): { end: number; closing: string } | undefined {
    const eos = this.tokenizer.eosToken;
    const rest = this.text.slice(from);
    const blank = /^\s*/.exec(rest)![0].length;
    if (eos === undefined || !rest.startsWith(eos, blank)) return undefined;
    return { end: from + blank + eos.length, closing: eos };
  }

  /** The header of a turn, or as much of its beginning as is there: it may open a <think> only where one is asked for. */
  private findHeader(index: number, limit: number): TextSpan | undefined {
    const header = this.headerAfter(index);
    const from = this.endOfPrevious(index);
    const before = this.text.slice(from, limit);
    for (let length = header.length; length > 0 && length * 3 >= header.length; length--) {
      const at = before.lastIndexOf(header.slice(0, length));
      if (at >= 0) return { start: from + at, end: from + at + length };
    }
    return undefined;
  }

  /** What the template writes to ask for an answer after a message of that role: that of the first such place. */
  private headerAfter(index: number): string {
    const role = this.messages[index - 1]?.role ?? '';
    const known = this.headers.get(role);
    if (known !== undefined) return known;
    const before = this.messages.slice(0, index);
    const header = this.askedFor(before) ?? '';
    this.headers.set(role, header);
    return header;
  }

  private askedFor(messages: readonly ChatMessage[]): string | undefined {
    try {
      const plain = this.tokenizer.renderChat(messages, { ...this.given, addGenerationPrompt: false });
      const asked = this.tokenizer.renderChat(messages, { ...this.given, addGenerationPrompt: true });
      return asked.startsWith(plain) ? asked.slice(plain.length) : undefined;
    } catch {
      return undefined; // it renders no chat that ends there
    }
  }
}

// Longer than any closing: what is trained may be a whole book.
const reach = 400;

/** The last special token near the end of a part of a text, such as `<|im_end|>`; undefined where there is none. */
function closingToken(tokenizer: Tokenizer, text: string, { start, end }: TextSpan): string | undefined {
  const pattern = specialTokenPattern(tokenizer);
  if (pattern === null) return undefined;
  return [...text.slice(Math.max(start, end - reach), end).matchAll(pattern)].at(-1)?.[0];
}
