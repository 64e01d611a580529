import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { Chat } from '../../events/chat.js';
import { chatMessages } from './chat-messages.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { Sample } from '../sources/dataset-source.js';
import { processRow } from './process-row.js';
import { rowFault } from './row-fault.js';
import { textOf, wholeCharacters } from './text-of.js';
import { userValues } from './user-values.js';
import { rowWithoutNulls, withoutNulls } from './without-nulls.js';
import { withSystem } from './with-system.js';
import { JsonNumber } from '../../common/json-number.js';

/** What a row became. */
export interface SampleChat {
  chat: Chat;
  /** Columns that hold text or a list and were not looked at. */
  ignored: readonly string[];
  /** `prompt`: the dataset's system prompt is not used for it, as it is no chat. */
  remarks: readonly 'prompt'[];
}

/**
 * The chat of one row: by the dataset's processing function, or the built-in one; with the dataset's system prompt in
 * front. Null where the function skips the row.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID`, naming dataset, row and columns
 */
export async function sampleToChat(plan: DatasetPlan, sample: Sample): Promise<SampleChat | null> {
  try {
    if (sample.fault !== undefined) throw sample.fault;
    const made = await readSample(plan, sample);
    if (made === null) return null;
    const isRead = plan.process === null; // then its nulls are out already
    return {
      ...made,
      chat: finished(made.chat, plan.systemPrompt, sample.nullIsAbsent === true && !isRead),
      remarks: 'text' in made.chat && plan.systemPrompt !== '' ? ['prompt'] : [],
    };
  } catch (cause) {
    throw explain(plan, sample, cause);
  }
}

async function readSample({ process, contextMode, columns }: DatasetPlan, { value, nullIsAbsent }: Sample) {
  if (process === null)
    return processRow(nullIsAbsent === true ? rowWithoutNulls(value) : value, contextMode, columns);
  const returned: unknown = await process(userValues.plain(value), contextMode);
  const chat = readReturn(userValues.restored(returned));
  return chat === null ? null : { chat, ignored: [] };
}

/** The whole chat as the template is to see it, checked to arrive there as it is. */
function finished(chat: Chat, systemPrompt: string, hasNulls: boolean): Chat {
  if ('text' in chat) return chat;
  const clean = hasNulls ? withoutNulls : <Value>(value: Value) => value;
  const { messages, tools, variables } = chat;
  const whole = {
    messages: withSystem(
      messages.map((message) =>
        message.content === null ? { ...clean(message), content: message.content } : clean(message),
      ),
      systemPrompt,
    ),
    ...(tools === undefined ? {} : { tools: clean(tools) }),
    ...(variables === undefined ? {} : { variables: clean(variables) }),
  };
  for (const [name, value] of Object.entries(whole)) checkValues(value, name);
  return whole;
}

function readReturn(value: unknown): Chat | null {
  if (value === null) return null;
  if (Array.isArray(value)) {
    const given = value as unknown[];
    if (given.length === 2 && given.every(isScalar)) return exchange(given[0], given[1]);
    if (given.length > 0 && given.every(isPlainObject)) return messagesOnly(given);
  } else if (isPlainObject(value)) {
    const { user, assistant, messages, text, tools, variables } = value;
    if (isScalar(user) && isScalar(assistant)) return exchange(user, assistant);
    if (typeof text === 'string') return { text: textOf(text, 'its text') };
    if (Array.isArray(messages)) {
      return {
        ...messagesOnly(messages),
        ...(Array.isArray(tools) ? { tools: tools as unknown[] } : {}),
        ...(isPlainObject(variables) ? { variables } : {}),
      };
    }
  }
  throw rowFault(
    `Expected it to return [user, assistant], { user, assistant }, an array of { role, content } messages, ` +
      `{ messages, tools, variables }, { text }, or null to skip the row, but received ${describeReturn(value)}.`,
  );
}

function isScalar(value: unknown): boolean {
  return value !== undefined && value !== null && !Array.isArray(value) && !isPlainObject(value);
}

function messagesOnly(messages: readonly unknown[]): Chat {
  return { messages: chatMessages(messages, 'messages', { anyRole: true }) };
}

function exchange(user: unknown, assistant: unknown): Chat {
  return {
    messages: [
      { role: 'user', content: textOf(user, 'what the user says') },
      { role: 'assistant', content: textOf(assistant, 'what the assistant answers') },
    ],
  };
}

function describeReturn(value: unknown): string {
  if (value === undefined) return 'nothing (is a "return" missing?)';
  if (Array.isArray(value)) return `[${value.slice(0, 4).map(describeValue).join(', ')}]`;
  if (!isPlainObject(value)) return describeValue(value);
  const entries = Object.entries(value).map(([key, entry]) => `${key}: ${describeValue(entry)}`);
  return `{ ${entries.slice(0, 6).join(', ')} }`;
}

function explain(plan: DatasetPlan, sample: Sample, cause: unknown): AdaptiveTrainerError {
  const keys = isPlainObject(sample.value) ? Object.keys(sample.value) : [];
  const subject =
    plan.process === null || sample.fault !== undefined
      ? 'could not be read'
      : 'failed in its data processing function';
  const said = cause instanceof Error ? cause.message : String(cause);
  const columns = keys.length === 0 ? '' : ` Its columns: ${keys.join(', ')}.`;
  const known = AdaptiveTrainerError.isInstance(cause) ? cause.details : {};
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Dataset "${plan.name}" (${plan.path}), ${sample.where} ${subject}: ${said}${/[.!?]$/.test(said) ? '' : '.'}${columns}`,
    {
      details: { ...known, reason: said, dataset: plan.name, row: sample.index, where: sample.where, keys },
      cause,
    },
  );
}

const deepest = 200;

/**
 * Sees to it that all of a value can be handed to a chat template as JSON would have it, with nothing lost on the way.
 *
 * @param what names the value in messages: `messages[2].tool_calls`
 * @throws AdaptiveTrainerError `DATASET_INVALID` naming the part that cannot
 */
function checkValues(value: unknown, what: string, depth = 0): void {
  if (depth > deepest) throw rowFault(`Expected ${what} to be nested less than ${deepest} levels deep.`);
  if (typeof value === 'string') return void wholeCharacters(value, what);
  if (value === null || value === undefined || value instanceof JsonNumber) return;
  if (typeof value === 'boolean' || typeof value === 'bigint' || Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    for (const [index, item] of (value as unknown[]).entries())
      checkValues(item, `${what}[${index}]`, depth + 1);
  } else if (value instanceof Map || isPlainObject(value)) {
    const entries = value instanceof Map ? (value as Map<string, unknown>) : Object.entries(value);
    for (const [key, entry] of entries) {
      wholeCharacters(key, `a key of ${what}`);
      checkValues(entry, `${what}.${key}`, depth + 1);
    }
  } else {
    throw rowFault(`Expected ${what} to be a value that JSON has but found ${describeValue(value)}.`);
  }
}
