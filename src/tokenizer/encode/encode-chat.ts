import { AdaptiveTrainerError } from '../../errors.js';
import { answerSpans } from './answer-spans.js';
import { chatRemarkNote, chatRemarks } from './chat-remarks.js';
import { reasoningKeys, unseenRoles } from './check-answer-is-seen.js';
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
  /** Told once per tokenizer of each thing that its template leaves out or has no role for, and of what chats hold that is odd. Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
  /** What the template is given beside the messages. */
  tools?: ChatVariables['tools'];
  variables?: ChatVariables['variables'];
}

// By tokenizer and listener.
const warned = new WeakMap<Tokenizer, Map<unknown, Set<string>>>();

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
  const rendered = renderAnswers(tokenizer, messages, options);
  for (const remark of rendered.remarks)
    warnOnce(tokenizer, remark, remarkNote(remark, tokenizer), options.onWarning);
  return encodeAnswers(tokenizer, rendered);
}

/** The text of a chat, and what of it is trained. */
export interface RenderedAnswers {
  text: string;
  spans: readonly TextSpan[];
  /**
   * What is worth a word: that the template leaves out `tools`, or messages of this role (but the assistant's, for that is an
   * error); or what chatRemarks() finds. See remarkNote().
   */
  remarks: readonly string[];
}

/** A remark in words, for a warning. */
export function remarkNote(remark: string, tokenizer: Tokenizer): string {
  const { dir } = tokenizer;
  if (remark === 'tools')
    return (
      `The chat template of ${dir} leaves the tools out, so calls are trained without what they are calls of. Use the ` +
      `template of a model that calls tools, or leave the tools away.`
    );
  return (
    chatRemarkNote(remark, tokenizer) ??
    `The chat template of ${dir} leaves the text of ${remark} messages out. Set a template that writes it, or move it ` +
      `into another message.`
  );
}

/** The first half of `encodeChat`: all but the work of the tokenizer. */
export function renderAnswers(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { trainOnHeader = false, onWarning, tools = null, variables = {} }: EncodeChatOptions,
): RenderedAnswers {
  checkMessages(messages);
  const chat = foldSystemPrompt(tokenizer, messages);
  if (chat.folded !== undefined) warnOnce(tokenizer, 'folded', foldedNote(tokenizer, chat.folded), onWarning);
  const given = { tools, variables };
  const rendered = tokenizer.renderChatParts(chat.messages, given);
  const spans = answerSpans(tokenizer, chat.messages, given, rendered, trainOnHeader);
  const remarks = unseenRoles(chat.messages, rendered);
  if (!showsTools(tokenizer, chat.messages, given, rendered.text)) remarks.push('tools');
  remarks.push(...chatRemarks(tokenizer, chat.messages, rendered));
  return { text: rendered.text, spans, remarks };
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
    const { role, content = null } = (message ?? {}) as Partial<ChatMessage>;
    const isText = typeof content === 'string' || Array.isArray(content);
    if (typeof role === 'string' && (isText || (content === null && saysOtherwise(message)))) continue;
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected messages[${index}] to be { role: string, content: string } (content parts, or none beside tool_calls or ` +
        `reasoning_content, will do) but role is a ${typeof role} and content ` +
        `${content === null ? 'is missing' : `a ${typeof content}`}.`,
      { details: { message: index } },
    );
  }
}

/** Whether an assistant message is a call, or reasoning alone. */
function saysOtherwise(message: ChatMessage): boolean {
  const isReasoning = (key: string) => typeof message[key] === 'string' && message[key] !== '';
  return (
    Array.isArray(message['tool_calls']) || (message.role === 'assistant' && reasoningKeys.some(isReasoning))
  );
}

/** Whether a template writes the tools that it is given; what it writes of them may be anything. */
function showsTools(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  given: ChatVariables,
  text: string,
): boolean {
  const { tools = null } = given;
  if (tools === null || tools.length === 0) return true;
  const names = tools.map(nameOf).filter((name) => name !== undefined);
  if (names.length > 0 && names.every((name) => text.includes(name))) return true;
  try {
    return tokenizer.renderChat(messages, { ...given, tools: null }) !== text;
  } catch {
    return true; // it insists on them
  }
}

function nameOf(tool: unknown): string | undefined {
  const described = tool as { name?: unknown; function?: { name?: unknown } } | null;
  const name = described?.function?.name ?? described?.name;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function foldedNote({ dir }: Tokenizer, why: 'refused' | 'ignored'): string {
  const verb = why === 'refused' ? 'refuses the system role' : 'leaves the system prompt out';
  return (
    `The chat template of ${dir} ${verb}; the system prompt is put at the start of the first user ` +
    `message instead. Prompt the trained model the same way.`
  );
}

/** Says each thing once to each listener. */
function warnOnce(
  tokenizer: Tokenizer,
  what: string,
  message: string,
  onWarning: EncodeChatOptions['onWarning'],
): void {
  const told = warned.get(tokenizer) ?? new Map<unknown, Set<string>>();
  warned.set(tokenizer, told);
  const said = told.get(onWarning) ?? new Set();
  if (said.has(what)) return;
  told.set(onWarning, said.add(what));
  if (onWarning === undefined) process.emitWarning(message, 'AdaptiveTrainerWarning');
  else onWarning(message);
}
