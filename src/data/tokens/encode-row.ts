import type { Chat } from '../../events/chat.js';
import {
  encodeAnswers,
  renderAnswers,
  type EncodeChatOptions,
  type EncodedChat,
} from '../../tokenizer/encode/encode-chat.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { joinTextParts } from './join-text-parts.js';

/** A row as tokens. */
export interface EncodedRow extends EncodedChat {
  /** See `RenderedAnswers`. */
  remarks: readonly string[];
}

/** A row that has more tokens than are wanted, which its text tells. */
export interface TooLong {
  /** How many it has at least. */
  least: number;
}

/**
 * Token ids and labels of a row. Text without a chat gets what the tokenizer puts around a text, and the end token, and all
 * of it is trained.
 *
 * @param most a row whose text is sure to have more tokens is not encoded, which would take long for nothing
 * @throws AdaptiveTrainerError see `encodeChat`
 */
export function encodeRow(tokenizer: Tokenizer, chat: Chat, options: EncodeChatOptions): EncodedRow;
export function encodeRow(
  tokenizer: Tokenizer,
  chat: Chat,
  options: EncodeChatOptions,
  most: number,
): EncodedRow | TooLong;
export function encodeRow(
  tokenizer: Tokenizer,
  chat: Chat,
  options: EncodeChatOptions,
  most = Infinity,
): EncodedRow | TooLong {
  if ('text' in chat) {
    const least = tokenizer.leastTokens(chat.text);
    return least > most ? { least } : encodeText(tokenizer, chat.text);
  }
  const { messages, tools = null, variables = {} } = chat;
  const given = { ...options, tools, variables };
  const rendered = renderAnswers(tokenizer, joinTextParts(tokenizer, messages), given);
  const least = tokenizer.leastTokens(rendered.text);
  return least > most ? { least } : { ...encodeAnswers(tokenizer, rendered), remarks: rendered.remarks };
}

function encodeText(tokenizer: Tokenizer, text: string): EncodedRow {
  const { bosTokenId: bos, eosTokenId: eos } = tokenizer;
  const ids = tokenizer.encode(text, { addSpecialTokens: true });
  if (bos !== null && ids[0] === bos && ids[1] === bos) ids.shift(); // the text has its own
  if (eos !== null && ids.at(-1) !== eos) ids.push(eos);
  const inputIds = Int32Array.from(ids);
  return { inputIds, labels: inputIds.slice(), remarks: [] };
}
