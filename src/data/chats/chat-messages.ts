import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';

// ShareGPT's names for the roles.
const roles = new Map([
  ['human', 'user'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bot', 'assistant'],
  ['model', 'assistant'],
]);

/**
 * Checks a list of messages, in OpenAI's spelling (`role`, `content`) or ShareGPT's (`from`, `value`), and brings it
 * into the first. Content in parts is joined where all of it is text.
 *
 * @param column where the list was found, for error messages
 * @throws AdaptiveTrainerError `DATASET_INVALID` when it is not a list of messages, or a message has no role or no text
 */
export function chatMessages(value: unknown, column: string): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid(`Expected "${column}" to be a list of messages but found ${describeValue(value)}.`);
  }
  return value.map((message: unknown, index) => readMessage(message, `${column}[${index}]`));
}

function readMessage(value: unknown, where: string): ChatMessage {
  if (!isPlainObject(value))
    throw invalid(`Expected ${where} to be a message object but found ${describeValue(value)}.`);
  const { from, value: said, ...rest } = value;
  const role = rest['role'] ?? from;
  if (typeof role !== 'string' || role === '') {
    throw invalid(
      `Expected ${where} to have a role ("user", "assistant", "system") but its keys are: ${Object.keys(value).join(', ')}.`,
    );
  }
  const content = 'content' in rest ? rest['content'] : said;
  return { ...rest, role: roles.get(role) ?? role, content: readContent(content, rest, where) };
}

function readContent(content: unknown, message: Record<string, unknown>, where: string): string {
  if (typeof content === 'string') return content;
  // A turn that only calls tools has no text.
  if ((content === null || content === undefined) && Array.isArray(message['tool_calls'])) return '';
  if (Array.isArray(content)) return content.map((part: unknown) => readPart(part, where)).join('');
  throw invalid(`Expected the content of ${where} to be a string but found ${describeValue(content)}.`);
}

function readPart(part: unknown, where: string): string {
  if (typeof part === 'string') return part;
  if (isPlainObject(part) && typeof part['text'] === 'string') return part['text'];
  const kind = isPlainObject(part) ? `one of type ${JSON.stringify(part['type'])}` : describeValue(part);
  throw invalid(`Expected the content of ${where} to have only text parts but found ${kind}.`);
}

function invalid(message: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError('DATASET_INVALID', message);
}
