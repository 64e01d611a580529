import type { ChatMessage } from './chat-message.js';

/**
 * What a data processing function may make of a row: what was asked and answered, a whole chat (with tools and variables of the
 * template), text to be trained as it is, or null to skip it.
 */
export type ProcessedRow =
  | readonly [user: string, assistant: string]
  | { user: string; assistant: string }
  | readonly ChatMessage[]
  | {
      messages: readonly ChatMessage[];
      tools?: readonly unknown[];
      variables?: Readonly<Record<string, unknown>>;
    }
  | { text: string }
  | null;
