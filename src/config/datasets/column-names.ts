/** What a column of a row may be read as; `columns` in `datasetsKwargs`. */
export type ColumnUse =
  ('user' | 'assistant' | 'system' | 'context' | 'history') | ('messages' | 'text' | 'tools' | 'variables');

/** @internal */
export const columnUses: readonly ColumnUse[] = [
  ...(['user', 'assistant', 'system', 'context', 'history'] as const),
  ...(['messages', 'text', 'tools', 'variables'] as const),
];

/** Which column of a dataset is what: `{ user: 'ask', assistant: 'reply' }`. */
export type ColumnNames = Partial<Record<ColumnUse, string>>;
