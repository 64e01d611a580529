import { describeValue } from '../../common/describe-value.js';
import { suggest } from '../../common/suggest.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { reasoningKeys } from '../../tokenizer/encode/check-answer-is-seen.js';
import { asObject } from './as-object.js';
import { jsonColumn } from './json-column.js';
import { messageRoles } from './message-roles.js';
import { rowFault } from './row-fault.js';
import { textOf } from './text-of.js';
import { toolCalls } from './tool-calls.js';
import { contentKeys, withoutNulls } from './without-nulls.js';

type Message = Record<string, unknown>;

/** How to read a list of messages. */
export interface ReadMessages {
  /** Leave roles that are not known as they are, for the template to judge. Default false: they are refused. */
  anyRole?: boolean;
}

const roleKeys = ['role', 'from'];
// OpenAI's, axolotl's.
const weightKeys = ['weight', 'train', 'training'];

/**
 * Checks a list of messages, in OpenAI's spelling (`role`, `content`) or ShareGPT's (`from`, `value`), or its JSON text, and
 * brings it into the first. Other keys stay as they are; one that is null counts as absent. A message's `weight` (0 or
 * 1), also written `train: true`, says whether an answer is trained.
 *
 * @param column where the list was found, for error messages
 * @throws AdaptiveTrainerError `DATASET_INVALID` when it is not a list of messages, or a message has no known role or no text
 */
export function chatMessages(value: unknown, column: string, options: ReadMessages = {}): ChatMessage[] {
  const list = jsonColumn(value, `"${column}"`);
  if (!Array.isArray(list) || list.length === 0) {
    throw rowFault(`Expected "${column}" to be a list of messages but found ${describeValue(list)}.`);
  }
  const messages = list.map((message: unknown, index) =>
    readMessage(message, `${column}[${index}]`, options),
  );
  // Written from Arrow, whatever the file is: there each message has all keys, and each call all arguments.
  const isFromArrow = list.some((message: unknown) => hasNullKey(asObject(message) ?? {}));
  return isFromArrow
    ? messages.map((message) => ({ ...withoutNulls(message), ...contentOf(message) }))
    : messages;
}

function hasNullKey(message: Message): boolean {
  return Object.entries(message).some(([key, entry]) => entry === null && !contentKeys.includes(key));
}

function contentOf({ content }: ChatMessage): Pick<ChatMessage, 'content'> {
  return content === undefined ? {} : { content };
}

function readMessage(value: unknown, where: string, options: ReadMessages): ChatMessage {
  const message = asObject(value);
  if (message === undefined)
    throw rowFault(`Expected ${where} to be a message object but found ${describeValue(value)}.`);
  const named = roleKeys.map((key) => message[key]).find((role) => role !== undefined && role !== null);
  if (typeof named !== 'string' || named === '') {
    const keys = Object.keys(message).join(', ');
    throw rowFault(
      `Expected ${where} to have a role ("user", "assistant", "system") but its keys are: ${keys}.`,
    );
  }
  const said = contentKeys.map((key) => message[key]).find((text) => text !== undefined && text !== null);
  if (messageRoles.isCall(named)) return readCall(message, said, where);
  const role = readRole(named, where, options);
  const { function_call: call, ...others } = otherKeys(message);
  const calls =
    toolCalls.ofMessage(others['tool_calls'], `${where}.tool_calls`) ??
    (call === undefined ? undefined : toolCalls.fromCall(call, `${where}.function_call`));
  delete others['tool_calls'];
  return {
    role,
    ...readContent(message, said, role, calls !== undefined, where),
    ...others,
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...readWeight(message, role, where),
  } as ChatMessage;
}

function readRole(named: string, where: string, { anyRole = false }: ReadMessages): string {
  const role = messageRoles.find(named);
  if (role !== undefined) return role;
  if (anyRole) return named;
  const near = suggest(named.toLowerCase(), messageRoles.known);
  throw rowFault(
    `Expected ${where} to have a known role (${messageRoles.known.join(', ')}) but found ${JSON.stringify(named)}` +
      `${near === undefined ? '' : ` (did you mean "${near}"?)`}. Rename it, or return the messages from a data processing ` +
      `function if the model's chat template knows this role.`,
  );
}

/** Everything but what is read here; null means absent. */
function otherKeys(message: Message): Message {
  const read = ['role', 'from', 'content', 'value', ...weightKeys, ...('text' in message ? ['text'] : [])];
  return Object.fromEntries(
    Object.entries(message).filter(
      ([key, entry]) => !read.includes(key) && entry !== null && entry !== undefined,
    ),
  );
}

/** As Python hands it to the template: text, parts, or null (or nothing) where something else is the message. */
function readContent(
  message: Message,
  said: unknown,
  role: string,
  hasCalls: boolean,
  where: string,
): { content?: unknown } {
  if (Array.isArray(said)) return { content: said.map((part: unknown) => readPart(part, where)) };
  if (said !== undefined) return { content: textOf(said, `the content of ${where}`) };
  const hasReasoning = reasoningKeys.some((key) => typeof message[key] === 'string' && message[key] !== '');
  if (role === 'assistant' && (hasCalls || hasReasoning))
    return 'content' in message ? { content: null } : {};
  const found = contentKeys.some((key) => message[key] === null) ? 'null' : 'nothing';
  throw rowFault(`Expected the content of ${where} to be a string but found ${found}.`);
}

function readPart(value: unknown, where: string): unknown {
  const part = asObject(value);
  if (typeof value === 'string')
    return { type: 'text', text: textOf(value, `a part of the content of ${where}`) };
  if (typeof part?.['text'] === 'string') {
    textOf(part['text'], `a part of the content of ${where}`);
    return Object.fromEntries(
      Object.entries({ type: 'text', ...part }).filter(([, entry]) => entry !== null),
    );
  }
  const kind = part === undefined ? describeValue(value) : `one of type ${JSON.stringify(part['type'])}`;
  throw rowFault(`Expected the content of ${where} to have only text parts but found ${kind}.`);
}

/** ShareGPT's `{ from: "function_call", value: '{"name": …, "arguments": …}' }`. */
function readCall(message: Message, said: unknown, where: string): ChatMessage {
  const calls = toolCalls.fromCall(said, `the content of ${where}`);
  return {
    role: 'assistant',
    content: '',
    ...otherKeys(message),
    tool_calls: calls,
    ...readWeight(message, 'assistant', where),
  };
}

function readWeight(message: Message, role: string, where: string): { weight?: 0 | 1 } {
  const key = weightKeys.find((one) => message[one] !== undefined && message[one] !== null);
  if (key === undefined) return {};
  const weight = Number(message[key]);
  if (!['number', 'boolean', 'object'].includes(typeof message[key]) || (weight !== 0 && weight !== 1)) {
    throw rowFault(
      `Expected "${key}" of ${where} to be 0 or 1, or true or false, but found ${describeValue(message[key])}.`,
    );
  }
  if (role === 'assistant') return { weight: weight as 0 | 1 };
  if (weight === 0 || key === 'weight') return {}; // that is how it is
  throw rowFault(
    `Expected "${key}" of ${where} to be false, for answers of the assistant alone are trained, but found true for the ` +
      `role "${role}".`,
  );
}
