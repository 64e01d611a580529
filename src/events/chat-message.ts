/** A part of a message's content: `{ type: 'text', text }`, for templates that take lists. */
export interface ContentPart {
  type: string;
  text?: string;
  [key: string]: unknown;
}

/**
 * One message of a chat. `role` is `system`, `user`, `assistant`, `tool` or whatever else the model's chat template
 * knows; further keys (`reasoning_content`, `tool_calls`, …) reach the template as they are. `content` may be null or absent
 * where one of them is what the assistant says.
 */
export interface ChatMessage {
  role: string;
  content?: string | readonly ContentPart[] | null;
  [key: string]: unknown;
}
