import { AdaptiveTrainerError } from '../../errors.js';
import { answerSpans } from './answer-spans.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { foldSystemPrompt } from '../template/fold-system-prompt.js';
import type { ChatVariables } from '../template/chat-template.js';
import type { Tokenizer } from '../tokenizer.js';
import type { TextSpan } from './text-span.js';
import { tokensCovering } from './tokens-covering.js';

/** A chat as the model sees it. `labels` line up with `inputIds`; -100 marks a token that is not trained. */
export interface EncodedChat {
  inputIds: Int32Array;
  labels: Int32Array;
}

export interface EncodeChatOptions {
  /** Train the header of assistant turns too (`<|im_start|>assistant`), as the Python package does. Default false. */
  trainOnHeader?: boolean;
  /** Called once per tokenizer when its template has no system role. Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
  /** What the template is given beside the messages. */
  tools?: ChatVariables['tools'];
  variables?: ChatVariables['variables'];
}

const warned = new WeakMap<Tokenizer, Set<unknown>>();

/**
 * Renders a chat with the model's template and encodes it. Trained are the answer of every assistant turn and its end
 * of turn; the ids are those of the whole text encoded in one go. A chat without an assistant turn has only -100.
 *
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when the template refuses the messages, `INVALID_INPUT` when a
 * message has no role or no text
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions = {},
): EncodedChat {
  return encodeAnswers(tokenizer, renderAnswers(tokenizer, messages, options));
}

/** The text of a chat, and what of it is trained. */
export interface RenderedAnswers {
  text: string;
  spans: readonly TextSpan[];
}

/** The first half of `encodeChat`: all but the work of the tokenizer. */
export function renderAnswers(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { trainOnHeader = false, onWarning, tools = null, variables = {} }: EncodeChatOptions,
): RenderedAnswers {
  checkMessages(messages);
  const chat = foldSystemPrompt(tokenizer, messages);
  if (chat.folded !== undefined) warnOnce(tokenizer, chat.folded, onWarning);
  const given = { tools, variables };
  const rendered = tokenizer.renderChatParts(chat.messages, given);
  const spans = answerSpans(tokenizer, chat.messages, given, rendered, trainOnHeader);
  return { text: rendered.text, spans };
}

/** The second half of `encodeChat`. */
export function encodeAnswers(tokenizer: Tokenizer, { text, spans }: RenderedAnswers): EncodedChat {
  const ids = tokenizer.encode(text);
  const trained = tokensCovering(tokenizer, text, ids, spans);
  const inputIds = Int32Array.from(ids);
  return { inputIds, labels: inputIds.map((id, index) => (trained[index] === 1 ? id : -100)) };
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected at least one chat message but received none.');
  }
  for (const [index, message] of messages.entries()) {
    const { role, content = null, tool_calls: calls } = (message ?? {}) as Partial<ChatMessage>;
    const isText = typeof content === 'string' || Array.isArray(content);
    if (typeof role === 'string' && (isText || (content === null && Array.isArray(calls)))) continue;
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected messages[${index}] to be { role: string, content: string } (content parts, or none beside tool_calls, ` +
        `will do) but role is a ${typeof role} and content ${content === null ? 'is missing' : `a ${typeof content}`}.`,
      { details: { message: index } },
    );
  }
}

function warnOnce(
  tokenizer: Tokenizer,
  why: 'refused' | 'ignored',
  onWarning: EncodeChatOptions['onWarning'],
): void {
  const told = warned.get(tokenizer) ?? new Set();
  if (told.has(onWarning)) return;
  warned.set(tokenizer, told.add(onWarning));
  const verb = why === 'refused' ? 'refuses the system role' : 'leaves the system prompt out';
  const message =
    `The chat template of ${tokenizer.dir} ${verb}; the system prompt is put at the start of the first user ` +
    `message instead. Prompt the trained model the same way.`;
  if (onWarning === undefined) process.emitWarning(message, 'AdaptiveTrainerWarning');
  else onWarning(message);
}
