// The names that public datasets give to the roles of chat templates, in lower case.
const names: Record<string, readonly string[]> = {
  system: ['system', 'system_prompt'],
  user: ['user', 'human', 'prompter'],
  assistant: [
    'assistant',
    'gpt',
    'chatgpt',
    'bot',
    'chatbot',
    'model',
    'ai',
    'bard',
    'bing',
    'claude',
    'llm',
  ],
  tool: [
    'tool',
    'observation',
    'tool_response',
    'tool_result',
    'function',
    'function_response',
    'function_result',
  ],
  // These a few templates know by their own names.
  developer: ['developer'],
  ipython: ['ipython'],
};

const roleOf = new Map(Object.entries(names).flatMap(([role, all]) => all.map((name) => [name, role])));

/** What a message's role may be called. */
export const messageRoles = {
  /** The role in the words of chat templates, whatever its case; undefined for one that is not known. */
  find(name: string): string | undefined {
    return roleOf.get(name.trim().toLowerCase());
  },

  /** Whether it says that the message is a call of a tool, as ShareGPT's `function_call` does. */
  isCall(name: string): boolean {
    return ['function_call', 'tool_call', 'function-call', 'tool_calls'].includes(name.trim().toLowerCase());
  },

  known: ['function_call', ...roleOf.keys()] as readonly string[],
};
