import type { ChatMessage } from '../../events/chat-message.js';
import type { RenderedChat } from '../template/chat-template.js';
import type { Tokenizer } from '../tokenizer.js';
import { reasoningKeys } from './check-answer-is-seen.js';
import { specialTokenPattern } from './special-token-pattern.js';

const strayToken = 'special token ';
const emptyAnswer = 'empty answer';
const cut = 'cut ';

/**
 * What of a chat is worth a word, though it can be trained on: a trained answer without anything in it, messages of which the
 * template writes a part, and special tokens that stand in what messages say.
 */
export function chatRemarks(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  rendered: RenderedChat,
): string[] {
  const { text, parts } = rendered;
  const remarks = new Set<string>(messages.some(isEmptyAnswer) ? [emptyAnswer] : []);
  for (const role of cutRoles(messages, rendered)) remarks.add(`${cut}${role}`);
  const special = specialTokenPattern(tokenizer);
  for (const { path, start, end } of parts)
    if (path !== 'role' && special !== null)
      for (const [token] of text.slice(start, end).matchAll(special)) remarks.add(`${strayToken}${token}`);
  return [...remarks];
}

/** Such a remark in words; undefined for another one. */
export function chatRemarkNote(remark: string, { dir }: Tokenizer): string | undefined {
  if (remark === emptyAnswer)
    return 'Some answers are empty: what is learned from these is to say nothing and end. Remove such rows, unless that is what you want.';
  if (remark.startsWith(cut))
    return (
      `The chat template of ${dir} writes only a part of what some ${remark.slice(cut.length)} messages say. Set a template that ` +
      'writes all of it, or look at the rows with "preview".'
    );
  if (!remark.startsWith(strayToken)) return undefined;
  return (
    `Some messages hold ${remark.slice(strayToken.length)} in their text. It becomes the special token of that name, as where a ` +
    'template writes it, and no text. Take it out where it was left over.'
  );
}

/** Roles of messages of whose text something is written, and something is not; white space aside. */
function cutRoles(messages: readonly ChatMessage[], { text, parts }: RenderedChat): string[] {
  const written = messages.map(() => 0);
  for (const { message, path, start, end } of parts)
    if (path === 'content') written[message]! += lengthOf(text.slice(start, end));
  const lastUser = messages.findLastIndex(({ role }) => role === 'user');
  const isCut = ({ role, content }: ChatMessage, index: number) => {
    if (typeof content !== 'string' || written[index] === 0 || text.includes(content.trim())) return false;
    // Templates write the marks of thoughts themselves, and leave out the thoughts of earlier answers.
    const isEarlier = role === 'assistant' && index < lastUser;
    const meant = isEarlier ? content.split('</think>').at(-1)! : content.replace(/<\/?think>/g, '');
    return written[index]! < lengthOf(meant);
  };
  return messages.filter(isCut).map(({ role }) => role);
}

const lengthOf = (text: string) => text.replace(/\s+/g, '').length;

function isEmptyAnswer(message: ChatMessage): boolean {
  const { role, content = null } = message;
  if (role !== 'assistant' || message['weight'] === 0) return false;
  const says = [...reasoningKeys, 'tool_calls', 'function_call'];
  if (says.some((key) => message[key] !== undefined && message[key] !== null && message[key] !== ''))
    return false;
  if (typeof content === 'string') return content.trim() === '';
  const isBlank = (part: unknown) => {
    const { text } = (part ?? {}) as { text?: unknown };
    return typeof text === 'string' && text.trim() === '';
  };
  return content === null || content.every(isBlank);
}
