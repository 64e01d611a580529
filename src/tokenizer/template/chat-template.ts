import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { Budget } from '../jinja/budget.js';
import type { Template } from '../jinja/nodes.js';
import { parseTemplate } from '../jinja/parse-template.js';
import { renderTemplate } from '../jinja/render-template.js';
import { plain, spansOf, type Tag } from '../jinja/tagged-text.js';
import { TemplateError } from '../jinja/template-error.js';
import { toValue } from '../jinja/to-value.js';
import type { Value } from '../jinja/values.js';
import type { TextSpan } from '../encode/text-span.js';

/** What a chat template is given beside the messages. */
export interface ChatVariables {
  /** Ends the text with the header of an assistant turn. Default false. */
  addGenerationPrompt?: boolean;
  /** Descriptions of the tools that the model may call, as JSON schemas; null (the default): none. */
  tools?: readonly unknown[] | null;
  /** Further variables by name (`enable_thinking`, `documents`): `chat_template_kwargs` in Python. */
  variables?: Readonly<Record<string, unknown>>;
}

/** A part of a rendered chat that comes from one string of one message. */
export interface MessagePart extends TextSpan {
  message: number;
  /** Where in the message: `content`, `tool_calls.0.function.name`. */
  path: string;
}

/** The text of a chat, and what of it comes from where. */
export interface RenderedChat {
  text: string;
  /** In the order of the text. */
  parts: readonly MessagePart[];
  /** What the template's loop over the messages wrote for each of them; a message may have several, or none. */
  turns: readonly (TextSpan & { message: number })[];
  /** What stands between the template's own `{% generation %}` marks; undefined: it has no such marks. */
  generated: readonly TextSpan[] | undefined;
}

interface PartTag extends Tag {
  kind: 'part';
  message: number;
  path: string;
}

interface TurnTag extends Tag {
  kind: 'turn';
  message: number;
}

const generation: Tag = { kind: 'generation' };

/** A Jinja chat template with the variables transformers gives it, so that it renders the same text. */
export class ChatTemplate {
  private parsed: Template | undefined;
  private rendersPlainChats: boolean | undefined;

  /**
   * @param source the Jinja text
   * @param origin where it came from, for error messages: a path, or `tokenizer.chatTemplate`
   * @param specialTokens `bos_token` → `<s>` and so on; one the tokenizer does not have is absent, not empty
   */
  constructor(
    readonly source: string,
    readonly origin: string,
    private readonly specialTokens: Readonly<Record<string, string>>,
  ) {}

  /**
   * The text of a chat, with its parts.
   *
   * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when the template cannot be parsed, refuses the messages or takes
   * too much work
   */
  render(messages: readonly ChatMessage[], given: ChatVariables = {}): RenderedChat {
    try {
      return this.tryRender(messages, given);
    } catch (cause) {
      throw this.failure(messages, given, cause);
    }
  }

  private tryRender(messages: readonly ChatMessage[], given: ChatVariables): RenderedChat {
    this.parsed ??= parseTemplate(this.source);
    const { addGenerationPrompt = false, tools = null, variables = {} } = given;
    const values = messages.map((message, index) => toValue(present(message), partTags(index)));
    const turns = new Map<Value, TurnTag>(values.map((value, message) => [value, { kind: 'turn', message }]));
    const others = { ...this.specialTokens, documents: null, ...variables }; // as transformers does: defined, and none
    const text = renderTemplate(this.parsed, {
      variables: [
        ...Object.entries(others).map(([name, value]): [string, Value] => [name, toValue(value)]),
        ['messages', values],
        ['tools', toValue(tools)],
        ['add_generation_prompt', addGenerationPrompt],
      ],
      budget: new Budget(messages.length + (tools?.length ?? 0), lengthOf(messages)),
      tagOf: (item) => turns.get(item),
      generation,
    });
    const spans = spansOf(text);
    const tagged = <T extends Tag>(kind: string) =>
      spans
        .filter(({ tag }) => tag.kind === kind)
        .map(({ start, end, tag }) => ({ ...(tag as T), start, end }));
    return {
      text: plain(text),
      parts: tagged<PartTag>('part'),
      turns: tagged<TurnTag>('turn'),
      generated: this.parsed.hasGenerationMarks ? tagged('generation') : undefined,
    };
  }

  private failure(
    messages: readonly ChatMessage[],
    given: ChatVariables,
    cause: unknown,
  ): AdaptiveTrainerError {
    const roles = messages.map((message) => message.role);
    const shown = roles.length > 12 ? [...roles.slice(0, 10), `… ${roles.length - 10} more`] : roles;
    const { reason, expression } = describe(cause);
    const isOurs = cause instanceof TemplateError && cause.kind === 'NotSupported';
    const isTooMuch = cause instanceof TemplateError && cause.kind === 'TooMuchWork';
    const fault =
      this.parsed !== undefined && !isOurs && !isTooMuch && this.isFine(given) ? 'row' : 'template';
    const step = this.parsed === undefined ? 'could not be parsed' : 'could not render the messages';
    const whose =
      fault === 'row'
        ? `The template renders a plain chat, so these messages do not fit it: mend or leave out this row, or set ` +
          `another template: tokenizer.chatTemplate = '…'.`
        : `${isOurs ? 'That is a limit of this library' : 'The template is at fault, not the data'}: set another one: ` +
          `tokenizer.chatTemplate = '…'.`;
    return new AdaptiveTrainerError(
      'CHAT_TEMPLATE_FAILED',
      `The chat template of ${this.origin} ${step} (roles: ${shown.join(', ') || 'none'}): ${reason}. ${whose}`,
      { details: { template: this.origin, roles, reason, expression, fault }, cause },
    );
  }

  /** Whether it renders any plain chat: then what it fails at is another chat's fault. */
  private isFine(given: ChatVariables): boolean {
    const turns = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    const chats = [turns, turns.slice(0, 1), [{ role: 'system', content: 'c' }, ...turns]];
    this.rendersPlainChats ??= chats.some((chat) => {
      try {
        this.tryRender(chat, { ...given, tools: null });
        return true;
      } catch {
        return false;
      }
    });
    return this.rendersPlainChats;
  }
}

/** A message without the keys that are null: files whose columns all rows share have them where a key is absent. */
function present(message: ChatMessage): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message).filter(
      ([key, value]) => key === 'content' || (value !== null && value !== undefined),
    ),
  );
}

function lengthOf(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + (typeof content === 'string' ? content.length : 0), 0);
}

function partTags(message: number): (path: string) => PartTag {
  return (path) => ({ kind: 'part', message, path });
}

function describe(cause: unknown): { reason: string; expression?: string } {
  if (!(cause instanceof TemplateError))
    return { reason: cause instanceof Error ? cause.message : String(cause) };
  const { where, kind, message } = cause;
  if (where === undefined || kind === 'TemplateSyntaxError') return { reason: message };
  const expression = where.expression.length > 120 ? `${where.expression.slice(0, 117)}…` : where.expression;
  return { reason: `${message} (in {{ ${expression} }}, line ${where.line})`, expression };
}
