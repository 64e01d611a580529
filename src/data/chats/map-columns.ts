import type { ColumnNames, ColumnUse } from '../../config/datasets/column-names.js';
import type { Chat } from '../../events/chat.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { chatMessages } from './chat-messages.js';
import { rowFault } from './row-fault.js';
import { sideColumns } from './side-columns.js';
import { textOf } from './text-of.js';

type Row = Readonly<Record<string, unknown>>;

// What `sideColumns` calls them.
const besides = {
  system: 'system',
  tools: 'tools',
  history: 'history',
  variables: 'chat_template_kwargs',
} as const;

/**
 * The chat of a row whose columns the configuration names.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID` where one is not there or does not hold what it should
 */
export function mapColumns(row: Row, columns: ColumnNames): Chat {
  for (const [use, name] of Object.entries(columns)) {
    if (Object.hasOwn(row, name)) continue;
    throw rowFault(
      `Expected the column ${JSON.stringify(name)}, which is "${use}" in the dataset's "columns", but the row's columns are: ` +
        `${Object.keys(row).join(', ') || 'none'}.`,
    );
  }
  const text = (use: ColumnUse) => textOf(row[columns[use]!], `the column "${columns[use]}"`);
  if (columns.text !== undefined) return { text: text('text') };
  const sides: Record<string, unknown> = {};
  for (const [use, name] of Object.entries(besides)) {
    const column = columns[use as keyof typeof besides];
    if (column !== undefined) sides[name] = row[column];
  }
  const { used: _, ...chat } = sideColumns(sides, readTurns(row, columns, text), []);
  return chat;
}

function readTurns(row: Row, columns: ColumnNames, text: (use: ColumnUse) => string): ChatMessage[] {
  if (columns.messages !== undefined) return chatMessages(row[columns.messages], columns.messages);
  const context = columns.context === undefined ? null : row[columns.context];
  const isEmpty = context === null || context === undefined || context === '';
  const asked = isEmpty ? text('user') : `${text('user')}\n\n${text('context')}`;
  return [
    { role: 'user', content: asked },
    { role: 'assistant', content: text('assistant') },
  ];
}
