import { Environment, Interpreter, Template } from '@huggingface/jinja';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { pythonStrip, type Side } from './python-strip.js';
import { strftime } from './strftime.js';

// Template.render would bring its own strftime_now and refuse another one, so the environment is set up here.
const globals = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
  strftime_now: (format: string) => strftime(new Date(), format),
  range: (start: number, stop?: number, step = 1) => {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    return Array.from(
      { length: Math.max(0, Math.ceil((to - from) / step)) },
      (_, index) => from + index * step,
    );
  },
  python_strip: (side: Side, text: unknown, characters?: string | null) => {
    if (typeof text === 'string') return pythonStrip(side, text, characters);
    throw new Error(
      `expected a string to ${side} but found ${text === null ? 'none' : `a value of type ${typeof text}`}`,
    );
  },
};

/** What a chat template is given beside the messages. */
export interface ChatVariables {
  /** Ends the text with the header of an assistant turn. Default false. */
  addGenerationPrompt?: boolean;
  /** Descriptions of the tools that the model may call, as JSON schemas; null (the default): none. */
  tools?: readonly unknown[] | null;
  /** Further variables by name (`enable_thinking`, `documents`): `chat_template_kwargs` in Python. */
  variables?: Readonly<Record<string, unknown>>;
}

/** A Jinja chat template with the variables transformers gives it, so that it renders the same text. */
export class ChatTemplate {
  private parsed: Template['parsed'] | undefined;

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
   * The text of a chat.
   *
   * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when the template cannot be parsed or refuses the messages
   */
  render(
    messages: readonly ChatMessage[],
    { addGenerationPrompt = false, tools = null, variables: others = {} }: ChatVariables = {},
  ): string {
    try {
      this.parsed ??= withPythonStrip(new Template(this.source).parsed) as Template['parsed'];
      const variables = {
        ...globals,
        ...this.specialTokens,
        documents: null, // as transformers does: defined, and none
        ...others,
        messages,
        tools,
        add_generation_prompt: addGenerationPrompt,
      };
      const environment = new Environment();
      for (const [name, value] of Object.entries(variables)) environment.set(name, value);
      return (new Interpreter(environment).run(this.parsed) as { value: string }).value;
    } catch (cause) {
      throw this.failure(messages, cause);
    }
  }

  private failure(messages: readonly ChatMessage[], cause: unknown): AdaptiveTrainerError {
    const said = cause instanceof Error ? cause.message : String(cause);
    const roles = messages.map((message) => message.role);
    const step = this.parsed === undefined ? 'could not be parsed' : 'could not render the messages';
    return new AdaptiveTrainerError(
      'CHAT_TEMPLATE_FAILED',
      `The chat template of ${this.origin} ${step} (roles: ${roles.join(', ') || 'none'}): ${said}. ` +
        `Give messages in the order this template accepts, or set another template: tokenizer.chatTemplate = '…'.`,
      { details: { template: this.origin, roles, reason: said }, cause },
    );
  }
}

type Node = Record<string, unknown>;

/**
 * Puts calls of `python_strip` in place of `text.strip('\n')` and its kind. The jinja package ignores the characters
 * and strips all white space, which Qwen3's template would then take off the start of an answer.
 */
function withPythonStrip(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withPythonStrip);
  if (typeof node !== 'object' || node === null || node instanceof Map) return node;
  for (const [key, value] of Object.entries(node)) (node as Node)[key] = withPythonStrip(value);
  const { type, callee, args } = node as Node;
  const { type: calleeType, object, property, computed } = (callee ?? {}) as Node;
  const side = (property as Node | undefined)?.['value'];
  const isStrip = side === 'strip' || side === 'lstrip' || side === 'rstrip';
  if (type !== 'CallExpression' || calleeType !== 'MemberExpression' || computed === true || !isStrip)
    return node;
  const name = { type: 'StringLiteral', value: side };
  const callOf = { type: 'Identifier', value: 'python_strip' };
  return Object.assign(node, { callee: callOf, args: [name, object, ...(args as unknown[])] });
}
