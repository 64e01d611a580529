import type { ChatMessage } from './chat-message.js';

/** What one row is trained as: a chat, which the model's chat template makes text of, or text as it is. */
export type Chat =
  | {
      messages: readonly ChatMessage[];
      /** Descriptions of the tools that the model may call, as JSON schemas. */
      tools?: readonly unknown[];
      /** Further variables of the template (`enable_thinking`): `chat_template_kwargs` in Python. */
      variables?: Readonly<Record<string, unknown>>;
    }
  | { text: string };
