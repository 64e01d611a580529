import type { ChatMessage } from '../../events/chat-message.js';
import type { Tokenizer } from '../tokenizer.js';
import { joinContent } from './join-content.js';

type SystemRole = 'rendered' | 'refused' | 'ignored';

// Per tokenizer and template: asking costs two renders, and the answer holds for every chat.
const answers = new WeakMap<Tokenizer, { template: string | null; role: SystemRole }>();

/** A chat a template can render, and why it was changed, if it was. */
export interface FoldedChat {
  messages: readonly ChatMessage[];
  /** Set when the system prompt was moved: the template refuses the role, or leaves its text out. */
  folded?: 'refused' | 'ignored';
}

/**
 * Moves a leading system message into the first user message (with an empty line between) for chat templates that
 * have no system role, such as Gemma 2's. Others keep their messages.
 */
export function foldSystemPrompt(tokenizer: Tokenizer, messages: readonly ChatMessage[]): FoldedChat {
  const [system, ...rest] = messages;
  if (system?.role !== 'system') return { messages };
  const role = systemRole(tokenizer);
  const first = rest.findIndex((message) => message.role === 'user');
  const user = rest[first];
  if (role === 'rendered' || user === undefined) return { messages };
  const content = joinContent(system.content, user.content);
  return { messages: rest.with(first, { ...user, content }), folded: role };
}

function systemRole(tokenizer: Tokenizer): SystemRole {
  const known = answers.get(tokenizer);
  if (known !== undefined && known.template === tokenizer.chatTemplate) return known.role;
  const role = tryOut(tokenizer);
  answers.set(tokenizer, { template: tokenizer.chatTemplate, role });
  return role;
}

function tryOut(tokenizer: Tokenizer): SystemRole {
  const prompt = 'Speak of adaptive-trainer.';
  const chat = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  try {
    const text = tokenizer.renderChat([{ role: 'system', content: prompt }, ...chat]);
    return text.includes(prompt) ? 'rendered' : 'ignored';
  } catch {
    try {
      tokenizer.renderChat(chat);
      return 'refused';
    } catch {
      return 'rendered'; // it fails for another reason, which the render of the real messages will tell
    }
  }
}
