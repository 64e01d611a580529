/** What a column of a row may be read as; `columns` in `datasetsKwargs`. */
export const columnUses = [
  ...(['user', 'assistant', 'system', 'context', 'history'] as const),
  ...(['messages', 'text', 'tools', 'variables'] as const),
] as const;

export type ColumnUse = (typeof columnUses)[number];

/** Which column of a dataset is what: `{ user: 'ask', assistant: 'reply' }`. */
export type ColumnNames = Partial<Record<ColumnUse, string>>;
