import { JsonNumber } from '../../common/json-number.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import type { RenderedChat } from '../template/chat-template.js';
import type { Tokenizer } from '../tokenizer.js';
import type { TextSpan } from './text-span.js';

/** What the reasoning of an answer may be called. */
export const reasoningKeys: readonly string[] = ['reasoning_content', 'reasoning', 'thinking'];

/** Where each message's content, calls and reasoning stand in the text; its role and name do not count. */
export function saidIn({ parts }: RenderedChat, messages: number): TextSpan[][] {
  const said = Array.from({ length: messages }, (): TextSpan[] => []);
  for (const part of parts) if (part.path !== 'role' && part.path !== 'name') said[part.message]!.push(part);
  return said;
}

/**
 * Checks that what the assistant messages hold is in the text: content, calls of tools and, in the last answer, reasoning
 * (templates drop that of earlier ones), or in one that says nothing else.
 *
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` which names what is missing
 */
export function checkAnswerIsSeen(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  rendered: RenderedChat,
): void {
  const seen = new Set(rendered.parts.map(({ message, path }) => `${message} ${path}`));
  const lastUser = messages.findLastIndex(({ role }) => role === 'user');
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'assistant') continue;
    const isSeen = (path: string) => seen.has(`${index} ${path}`);
    const kinds: [string, string[]][] = [
      ['content', texts(message.content, 'content', true)],
      ['tool_calls', callTexts(message['tool_calls'])],
      ['function_call', texts(message['function_call'], 'function_call')],
    ];
    for (const [key, paths] of kinds) {
      if (!paths.every(isSeen)) throw leftOut(tokenizer, index, key);
    }
    const thoughts = reasoningKeys.filter((key) => texts(message[key], key).length > 0);
    const isAll = kinds.every(([, paths]) => paths.length === 0);
    // One of them is enough: the same thoughts may stand under two names. Templates drop those of earlier turns.
    if ((index > lastUser || isAll) && thoughts.length > 0 && !thoughts.some(isSeen))
      throw leftOut(tokenizer, index, thoughts[0]!);
  }
}

/** Roles of the messages, but the assistant's, whose content the template leaves out. */
export function unseenRoles(messages: readonly ChatMessage[], { text, parts }: RenderedChat): string[] {
  const seen = new Set(parts.map(({ message, path }) => `${message} ${path}`));
  const isSeen = (message: ChatMessage, index: number) =>
    texts(message.content, 'content', true).every((path) => seen.has(`${index} ${path}`)) ||
    (typeof message.content === 'string' && text.includes(message.content.trim()));
  const unseen = messages.filter((message, index) => message.role !== 'assistant' && !isSeen(message, index));
  return [...new Set(unseen.map(({ role }) => role))];
}

/** Paths of what a call says: the function's name and its arguments, without ids and types. */
function callTexts(calls: unknown): string[] {
  if (!Array.isArray(calls)) return [];
  return calls.flatMap((call: unknown, index) => {
    const inner = (call as { function?: unknown } | null)?.function;
    const at = `tool_calls.${index}${inner === undefined ? '' : '.function'}`;
    const { name, arguments: given } = (inner ?? call ?? {}) as { name?: unknown; arguments?: unknown };
    return [...texts(name, `${at}.name`), ...texts(given, `${at}.arguments`)];
  });
}

/** Paths of the strings in a value that are not blank. @param isContent of content parts, only their text counts */
function texts(value: unknown, path: string, isContent = false): string[] {
  if (typeof value === 'string') return value.trim() === '' ? [] : [path];
  if (value === null || typeof value !== 'object' || value instanceof JsonNumber) return [];
  const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
  return entries
    .filter(([key]) => !isContent || Array.isArray(value) || key === 'text')
    .flatMap(([key, item]) => texts(item, `${path}.${key}`, isContent));
}

function leftOut(tokenizer: Tokenizer, message: number, key: string): AdaptiveTrainerError {
  const advice: Record<string, string> = {
    content: 'Remove that message, or set a template that keeps it.',
    tool_calls: "Use the chat template of a model that calls tools, or remove the row's calls.",
    function_call: 'Rename function_call to tool_calls: [{ function: … }], which templates know.',
  };
  return new AdaptiveTrainerError(
    'CHAT_TEMPLATE_FAILED',
    `Expected the chat template of ${tokenizer.dir} to write the ${key} of message ${message} (assistant) into the text, ` +
      `but it leaves it out, so the model would learn an answer without it. ` +
      (advice[key] ??
        `Set a template that shows ${key}, put it into content as <think>…</think>, or remove that key.`),
    { details: { path: tokenizer.dir, message, role: 'assistant', key, fault: 'row' } },
  );
}
