import type { ChatMessage } from '../../events/chat-message.js';
import { joinContent } from '../../tokenizer/template/join-content.js';

/** Messages with a system prompt in front. Where they begin with one, both stand there, the given one first. */
export function withSystem(messages: ChatMessage[], prompt: string): ChatMessage[] {
  const [first, ...rest] = messages;
  if (prompt === '') return messages;
  if (first?.role !== 'system') return [{ role: 'system', content: prompt }, ...messages];
  return first.content === prompt
    ? messages
    : [{ ...first, content: joinContent(prompt, first.content) }, ...rest];
}
