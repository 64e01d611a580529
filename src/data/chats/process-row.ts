import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { chatMessages } from './chat-messages.js';
import { reasoningMarks } from './reasoning-marks.js';

type Row = Record<string, unknown>;

/** A shape of row: its columns, and how they become a chat. */
interface Shape {
  columns: string;
  fits: (row: Row) => boolean;
  read: (row: Row, contextMode: unknown) => ChatMessage[];
}

const has =
  (...keys: string[]) =>
  (row: Row) =>
    keys.every((key) => key in row);

const pair = (user: string, assistant: string): Shape => ({
  columns: `${user}, ${assistant}`,
  fits: has(user, assistant),
  read: (row) => exchange(text(row, user), text(row, assistant)),
});

// The first that fits is taken, so richer shapes stand before those whose columns they contain.
const shapes: Shape[] = [
  { columns: 'messages', fits: has('messages'), read: (row) => chatMessages(row['messages'], 'messages') },
  {
    columns: 'conversations',
    fits: has('conversations'),
    read: (row) =>
      chatMessages(row['conversations'], 'conversations').map((message) =>
        message.role === 'assistant' ? { ...message, content: reasoningMarks(message.content) } : message,
      ),
  },
  pair('query', 'response'),
  pair('prompt', 'target_price_continuation'),
  pair('problem', 'solution'),
  {
    columns: 'question, question_with_context, answer',
    fits: has('question_with_context', 'answer'),
    read: (row, contextMode) => {
      const column = contextMode || !('question' in row) ? 'question_with_context' : 'question';
      return exchange(text(row, column), text(row, 'answer'));
    },
  },
  pair('question', 'answer'),
  { columns: 'prompt, response', fits: has('prompt', 'response'), read: (row) => continued(row, 'response') },
  {
    columns: 'prompt, completion',
    fits: has('prompt', 'completion'),
    read: (row) => continued(row, 'completion'),
  },
  {
    columns: 'instruction, input (optional), output',
    fits: (row) => 'instruction' in row && ('output' in row || 'response' in row),
    read: (row) => {
      const extra = ['input', 'context'].find((key) => typeof row[key] === 'string' && row[key] !== '');
      const asked = text(row, 'instruction') + (extra === undefined ? '' : `\n\n${text(row, extra)}`);
      return exchange(asked, text(row, 'output' in row ? 'output' : 'response'));
    },
  },
  pair('input', 'output'),
  pair('user', 'assistant'),
];

/**
 * Turns a row of one of the usual shapes into a chat: `messages` (OpenAI), `conversations` (ShareGPT), and pairs of
 * columns such as `question` and `answer`.
 *
 * @param contextMode takes `question_with_context` in place of `question` when it is true
 * @throws AdaptiveTrainerError `DATASET_INVALID` when no shape fits, or a column does not hold what it should
 */
export function processRow(row: unknown, contextMode: unknown = false): ChatMessage[] {
  if (!isPlainObject(row)) {
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected a row that is an object but found ${describeValue(row)}.`,
    );
  }
  const shape = shapes.find(({ fits }) => fits(row));
  if (shape !== undefined) return shape.read(row, contextMode);
  const keys = Object.keys(row);
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a row with one of these sets of columns: ${shapes.map(({ columns }) => columns).join(' | ')}; but its ` +
      `columns are: ${keys.join(', ') || 'none'}. Say how to read it with a function: ` +
      `dataProcessingFunction: (sample, contextMode) => [sample.${keys[0] ?? 'question'}, sample.${keys[1] ?? 'answer'}].`,
    { details: { keys } },
  );
}

/** `prompt` and what follows it: two strings, or two lists of messages as in TRL. */
function continued(row: Row, answer: string): ChatMessage[] {
  const [asked, answered] = [row['prompt'], row[answer]];
  if (Array.isArray(asked) && Array.isArray(answered)) {
    return [...chatMessages(asked, 'prompt'), ...chatMessages(answered, answer)];
  }
  return exchange(text(row, 'prompt'), reasoningMarks(text(row, answer)));
}

function exchange(user: string, assistant: string): ChatMessage[] {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
}

/** A column as text. Numbers and booleans are written out; anything else would become nonsense in the text. */
function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected the column "${column}" to be a string but found ${describeValue(value)}.`,
    { details: { column } },
  );
}
