import type { ChatMessage } from '../../events/chat-message.js';
import { describeValue } from '../../common/describe-value.js';
import { asObject } from './as-object.js';
import { chatMessages } from './chat-messages.js';
import { jsonColumn } from './json-column.js';
import { rowFault } from './row-fault.js';
import { textOf } from './text-of.js';
import { toolCalls } from './tool-calls.js';
import { withSystem } from './with-system.js';

type Row = Readonly<Record<string, unknown>>;

/** What stands beside a row's messages, or its question and answer. */
export interface SideColumns {
  messages: ChatMessage[];
  tools?: readonly unknown[];
  variables?: Readonly<Record<string, unknown>>;
  /** The columns that were looked at. */
  used: string[];
}

const systemColumns = ['system', 'system_prompt', 'system_message'];
const toolColumns = ['tools', 'functions'];
const variableColumns = ['chat_template_kwargs'];

/**
 * Reads the columns that mean the same beside every shape of row: a system prompt goes in front of the messages, earlier
 * turns (`history`) before the last question; tools and `chat_template_kwargs` go to the chat template.
 *
 * @param taken columns that the shape has read itself
 * @throws AdaptiveTrainerError `DATASET_INVALID` when one does not hold what it should
 */
export function sideColumns(row: Row, messages: ChatMessage[], taken: readonly string[]): SideColumns {
  const used: string[] = [];
  const first = (names: readonly string[]) => {
    const here = names.filter((name) => name in row && !taken.includes(name));
    used.push(...here);
    return here.find((name) => !isNothing(row[name]));
  };
  const history = first(['history']);
  const earlier = history === undefined ? [] : readHistory(row[history]);
  const system = first(systemColumns);
  const all = system === undefined ? messages : withSystem(messages, textOf(row[system], column(system)));
  const start = all[0]?.role === 'system' ? 1 : 0;
  const tools = first(toolColumns);
  const described = tools === undefined ? undefined : toolCalls.described(row[tools], tools);
  const kwargs = first(variableColumns);
  return {
    messages: [...all.slice(0, start), ...earlier, ...all.slice(start)],
    ...(described === undefined ? {} : { tools: described }),
    ...(kwargs === undefined ? {} : { variables: readVariables(row[kwargs], kwargs) }),
    used,
  };
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** LLaMA-Factory's and ChatGLM's: pairs of question and answer; or messages. */
function readHistory(value: unknown): ChatMessage[] {
  const given = jsonColumn(value, column('history'));
  if (Array.isArray(given) && given.length === 0) return [];
  if (!Array.isArray(given) || !given.every((turn) => Array.isArray(turn)))
    return chatMessages(given, 'history');
  return given.flatMap((turn: unknown[], index) => {
    if (turn.length !== 2)
      throw rowFault(
        `Expected history[${index}] to be a question and its answer but found ${turn.length} values.`,
      );
    return [
      { role: 'user', content: textOf(turn[0], `history[${index}][0]`) },
      { role: 'assistant', content: textOf(turn[1], `history[${index}][1]`) },
    ];
  });
}

function readVariables(value: unknown, name: string): Record<string, unknown> {
  const given = jsonColumn(value, column(name));
  const variables = asObject(given);
  if (variables !== undefined) return variables;
  throw rowFault(
    `Expected ${column(name)} to be an object of template variables but found ${describeValue(given)}.`,
  );
}

function column(name: string): string {
  return `the column "${name}"`;
}
