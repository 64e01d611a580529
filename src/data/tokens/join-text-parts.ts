import type { ChatMessage, ContentPart } from '../../events/chat-message.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';

// Per tokenizer and template: asking costs a render, and the answer holds for every chat.
const answers = new WeakMap<Tokenizer, { template: string | null; takesParts: boolean }>();

/** Messages whose content is text: parts are joined where the chat template takes text alone, as most do. */
export function joinTextParts(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
): readonly ChatMessage[] {
  const hasParts = (message: ChatMessage) => Array.isArray(message.content);
  if (!messages.some(hasParts) || takesParts(tokenizer)) return messages;
  return messages.map((message) => (hasParts(message) ? { ...message, content: joined(message) } : message));
}

function joined({ content }: ChatMessage): string {
  return (content as readonly ContentPart[]).map(({ text = '' }) => text).join('');
}

function takesParts(tokenizer: Tokenizer): boolean {
  const known = answers.get(tokenizer);
  if (known !== undefined && known.template === tokenizer.chatTemplate) return known.takesParts;
  const answer = tryOut(tokenizer);
  answers.set(tokenizer, { template: tokenizer.chatTemplate, takesParts: answer });
  return answer;
}

function tryOut(tokenizer: Tokenizer): boolean {
  const said = { user: 'Parts of adaptive-trainer', assistant: 'are in adaptive-trainer' };
  const chat = (make: (text: string) => string | ContentPart[]): ChatMessage[] =>
    Object.entries(said).map(([role, text]) => ({ role, content: make(text) }));
  try {
    const asText = tokenizer.renderChat(chat((text) => text));
    return tokenizer.renderChat(chat((text) => [{ type: 'text', text }])) === asText;
  } catch {
    return false;
  }
}
