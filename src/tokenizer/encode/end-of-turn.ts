import type { Tokenizer } from '../tokenizer.js';
import { answerSpans } from './answer-spans.js';

/**
 * The token that the chat template ends the last answer of a chat with, which a model trained on chats stops at.
 *
 * @returns null where answers end in no special token, or where the end is not trained: then the model learns no place to
 * stop; undefined where that cannot be told, as the template renders no plain chat
 */
export function endOfTurn(tokenizer: Tokenizer): { id: number; token: string } | null | undefined {
  const chat = [
    { role: 'user', content: 'Ask.' },
    { role: 'assistant', content: 'Answer.' },
  ];
  try {
    const [span] = answerSpans(tokenizer, chat, {}, tokenizer.renderChatParts(chat), false);
    if (span?.closing === undefined) return null;
    const id = tokenizer.tokenToId(span.closing);
    return id === undefined ? null : { id, token: span.closing };
  } catch {
    return undefined;
  }
}
