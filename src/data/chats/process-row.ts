import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { ColumnNames } from '../../config/datasets/column-names.js';
import type { Chat } from '../../events/chat.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { adviceFor } from './advice-for.js';
import { chatMessages } from './chat-messages.js';
import { mapColumns } from './map-columns.js';
import { rowFault } from './row-fault.js';
import { sideColumns } from './side-columns.js';
import { textOf } from './text-of.js';

type Row = Record<string, unknown>;

/** A shape of row: its columns, and how they become a chat. */
interface Shape {
  columns: string;
  fits: (row: Row) => boolean;
  /** `used`: the columns that it looks at. */
  read: (row: Row, contextMode: unknown) => { messages: ChatMessage[]; used: readonly string[] };
}

/** What a row became, and which of its columns were not looked at. */
export interface ProcessedColumns {
  chat: Chat;
  /** Those of them that hold text or a list. */
  ignored: string[];
}

const has =
  (...keys: string[]) =>
  (row: Row) =>
    keys.every((key) => key in row);

const pair = (user: string, assistant: string): Shape => ({
  columns: `${user}, ${assistant}`,
  fits: has(user, assistant),
  read: (row) => ({
    messages: exchange(text(row, user), text(row, assistant)),
    used: [user, assistant],
  }),
});

const conversation = (column: string): Shape => ({
  columns: column,
  fits: has(column),
  read: (row) => ({
    messages: chatMessages(row[column], column).map((message) =>
      message.role === 'assistant' && typeof message.content === 'string'
        ? { ...message, content: reasoningMarks(message.content) }
        : message,
    ),
    used: [column],
  }),
});

// The first that fits is taken, so richer shapes stand before those whose columns they contain.
const shapes: Shape[] = [
  {
    columns: 'messages',
    fits: has('messages'),
    read: (row) => ({ messages: chatMessages(row['messages'], 'messages'), used: ['messages'] }),
  },
  conversation('conversations'),
  conversation('conversation'),
  pair('query', 'response'),
  pair('prompt', 'target_price_continuation'),
  pair('problem', 'solution'),
  {
    columns: 'question, question_with_context, answer',
    fits: has('question_with_context', 'answer'),
    read: (row, contextMode) => {
      const column = contextMode || !('question' in row) ? 'question_with_context' : 'question';
      const used = ['question', 'question_with_context', 'answer'];
      return { messages: exchange(text(row, column), text(row, 'answer')), used };
    },
  },
  pair('question', 'answer'),
  pair('question', 'response'),
  continued('response'),
  continued('completion'),
  {
    columns: 'instruction, input (optional), output',
    fits: (row) => 'instruction' in row && ('output' in row || 'response' in row),
    read: (row) => {
      const answer = 'output' in row ? 'output' : 'response';
      const extras = ['input', 'context'].filter((key) => !isNothing(row[key]));
      const asked = ['instruction', ...extras].map((key) => text(row, key)).join('\n\n');
      const used = ['instruction', 'input', 'context', answer];
      return { messages: exchange(asked, text(row, answer)), used };
    },
  },
  pair('input', 'output'),
  pair('user', 'assistant'),
];

/**
 * Turns a row of one of the usual shapes into a chat: `messages` (OpenAI), `conversations` (ShareGPT), and pairs of
 * columns such as `question` and `answer`, each with what `sideColumns` finds beside; or `text`, which is trained as it is.
 *
 * @param contextMode takes `question_with_context` in place of `question` when it is true
 * @param columns where the configuration says what the columns are: no shape is looked for
 * @throws AdaptiveTrainerError `DATASET_INVALID` when no shape fits, or a column does not hold what it should
 */
export function processRow(
  row: unknown,
  contextMode: unknown = false,
  columns: ColumnNames | null = null,
): ProcessedColumns {
  if (!isPlainObject(row)) {
    throw rowFault(`Expected a row that is an object but found ${describeValue(row)}.`);
  }
  if (columns !== null) return { chat: mapColumns(row, columns), ignored: [] };
  // A column that is null is absent where another shape fits without it, as in files whose rows are of several kinds.
  const present = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  const isText = 'text' in present;
  const shape =
    shapes.find(({ fits }) => fits(present)) ?? (isText ? undefined : shapes.find(({ fits }) => fits(row)));
  if (shape === undefined && 'text' in row) {
    return { chat: { text: text(row, 'text') }, ignored: ignored(row, ['text']) };
  }
  if (shape === undefined) throw noShape(row);
  const { messages, used } = shape.read(row, contextMode);
  const { used: beside, ...chat } = sideColumns(row, messages, used);
  return { chat, ignored: ignored(row, [...used, ...beside]) };
}

function ignored(row: Row, used: readonly string[]): string[] {
  const carries = (value: unknown) =>
    Array.isArray(value) ? value.length > 0 : typeof value === 'string' && value.trim() !== '';
  return Object.keys(row).filter((key) => !used.includes(key) && carries(row[key]));
}

function noShape(row: Row): Error {
  const keys = Object.keys(row);
  return rowFault(
    `Expected a row with one of these sets of columns: ${shapes.map(({ columns }) => columns).join(' | ')} | text; but its ` +
      `columns are: ${keys.join(', ') || 'none'}. ${adviceFor(row)}`,
    { keys },
  );
}

/** `prompt` and what follows it: two strings, or lists of messages as in TRL. */
function continued(answer: string): Shape {
  return {
    columns: `prompt, ${answer}`,
    fits: has('prompt', answer),
    read: (row) => {
      const used = ['prompt', answer];
      const isList = (column: string) => Array.isArray(row[column]);
      if (!isList('prompt') && !isList(answer)) {
        return { messages: exchange(text(row, 'prompt'), reasoningMarks(text(row, answer))), used };
      }
      const turns = (column: string, role: string) =>
        isList(column) ? chatMessages(row[column], column) : [{ role, content: text(row, column) }];
      return { messages: [...turns('prompt', 'user'), ...turns(answer, 'assistant')], used };
    },
  };
}

function exchange(user: string, assistant: string): ChatMessage[] {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function text(row: Row, column: string): string {
  return textOf(row[column], `the column "${column}"`);
}

const replacements = new Map([
  ['<|begin_of_thought|>', '<think>'],
  ['<|end_of_thought|>', '</think>'],
  ['<|begin_of_solution|>', ''],
  ['<|end_of_solution|>', ''],
  ['<|thinking|>', '<think>'],
  ['</|thinking|>', '</think>'],
  ['<|actual_response|>', ''],
  ['</|actual_response|>', ''],
]);

const marks = /<\/?\|[a-z_]+\|>/g;

/** An answer with the reasoning marks of some public datasets written as `<think>` and `</think>`, as models expect. */
function reasoningMarks(answer: string): string {
  return answer.replace(marks, (mark) => replacements.get(mark) ?? mark);
}
