import type { Chat } from '../../events/chat.js';
import { encodeChat, type EncodeChatOptions, type EncodedChat } from '../../tokenizer/encode/encode-chat.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { joinTextParts } from './join-text-parts.js';

/**
 * Token ids and labels of a row. Text without a chat gets what the tokenizer puts around a text, and the end token, and all
 * of it is trained.
 *
 * @throws AdaptiveTrainerError see `encodeChat`
 */
export function encodeRow(tokenizer: Tokenizer, chat: Chat, options: EncodeChatOptions): EncodedChat {
  if ('text' in chat) return encodeText(tokenizer, chat.text);
  const { messages, tools = null, variables = {} } = chat;
  return encodeChat(tokenizer, joinTextParts(tokenizer, messages), { ...options, tools, variables });
}

function encodeText(tokenizer: Tokenizer, text: string): EncodedChat {
  const { bosTokenId: bos, eosTokenId: eos } = tokenizer;
  const ids = tokenizer.encode(text, { addSpecialTokens: true });
  if (bos !== null && ids[0] === bos && ids[1] === bos) ids.shift(); // the text has its own
  if (eos !== null && ids.at(-1) !== eos) ids.push(eos);
  const inputIds = Int32Array.from(ids);
  return { inputIds, labels: inputIds.slice() };
}
