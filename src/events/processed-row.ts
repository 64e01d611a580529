import type { ChatMessage } from './chat-message.js';

/** What a data processing function may make of a row: what was asked and answered, a whole chat, or null to skip it. */
export type ProcessedRow =
  | readonly [user: string, assistant: string]
  | { user: string; assistant: string }
  | readonly ChatMessage[]
  | null;
