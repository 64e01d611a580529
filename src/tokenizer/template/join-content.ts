import type { ChatMessage, ContentPart } from '../../events/chat-message.js';

type Content = ChatMessage['content'];

/** Two contents of messages as one, with an empty line between; a list of parts where one of them is. */
export function joinContent(one: Content, other: Content): string | readonly ContentPart[] {
  const [first, second] = [one ?? '', other ?? ''];
  if (first.length === 0) return second;
  if (second.length === 0) return first;
  if (typeof first === 'string' && typeof second === 'string') return `${first}\n\n${second}`;
  return [...partsOf(first), { type: 'text', text: '\n\n' }, ...partsOf(second)];
}

function partsOf(content: string | readonly ContentPart[]): readonly ContentPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}
