import type { ChatMessage } from '../../events/chat-message.js';
import type { Tokenizer } from '../tokenizer.js';

/**
 * The ids that a model goes on from: of a text as it stands, or of a conversation up to where its answer begins.
 * @throws AdaptiveTrainerError what rendering the conversation throws, a missing chat template among it
 */
export function promptIds(tokenizer: Tokenizer, prompt: string | readonly ChatMessage[]): number[] {
  if (typeof prompt === 'string') return tokenizer.encode(prompt, { addSpecialTokens: true });
  return tokenizer.encode(tokenizer.renderChat(prompt, { addGenerationPrompt: true }));
}
