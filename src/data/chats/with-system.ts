import type { ChatMessage } from '../../events/chat-message.js';

/** Messages with a system prompt in front. Where they begin with one, both stand there, the given one first. */
export function withSystem(messages: ChatMessage[], prompt: string): ChatMessage[] {
  const [first, ...rest] = messages;
  if (prompt === '') return messages;
  if (first?.role !== 'system') return [{ role: 'system', content: prompt }, ...messages];
  const own: unknown = first.content;
  if (own === prompt) return messages;
  if (typeof own !== 'string') {
    const parts = [
      { type: 'text', text: `${prompt}\n\n` },
      ...(Array.isArray(own) ? (own as unknown[]) : []),
    ];
    return [{ ...first, content: parts as unknown as string }, ...rest];
  }
  return [{ ...first, content: own === '' ? prompt : `${prompt}\n\n${own}` }, ...rest];
}
