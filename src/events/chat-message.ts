/**
 * One message of a chat. `role` is `system`, `user`, `assistant`, `tool` or whatever else the model's chat template
 * knows; further keys (`reasoning_content`, `tool_calls`, …) reach the template as they are.
 */
export interface ChatMessage {
  role: string;
  content: string;
  [key: string]: unknown;
}
