import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { chatMessages } from './chat-messages.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { Sample } from '../sources/dataset-source.js';
import { processRow } from './process-row.js';

/**
 * The chat of one row: by the dataset's processing function, or the built-in one; with the dataset's system prompt in
 * front. Null where the function skips the row.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID`, naming dataset, row and columns
 */
export async function sampleToChat(plan: DatasetPlan, sample: Sample): Promise<ChatMessage[] | null> {
  let messages: ChatMessage[] | null;
  try {
    if (plan.process === null) messages = processRow(sample.value, plan.contextMode);
    else messages = checkReturn(await (plan.process(sample.value, plan.contextMode) as unknown));
  } catch (cause) {
    throw explain(plan, sample, cause);
  }
  return messages === null ? null : withSystemPrompt(messages, plan.systemPrompt);
}

/** A row may have a system message of its own: then both stand there, the configured one first. */
function withSystemPrompt(messages: ChatMessage[], prompt: string): ChatMessage[] {
  if (prompt === '') return messages;
  const [first, ...rest] = messages;
  if (first?.role !== 'system') return [{ role: 'system', content: prompt }, ...messages];
  return [{ ...first, content: first.content === '' ? prompt : `${prompt}\n\n${first.content}` }, ...rest];
}

function checkReturn(value: unknown): ChatMessage[] | null {
  if (value === null) return null;
  if (Array.isArray(value)) {
    const [user, assistant, ...more] = value as unknown[];
    if (typeof user === 'string' && typeof assistant === 'string' && more.length === 0)
      return exchange(user, assistant);
    if (value.length > 0 && value.every(isPlainObject)) return chatMessages(value, 'messages');
  } else if (isPlainObject(value)) {
    const { user, assistant } = value;
    if (typeof user === 'string' && typeof assistant === 'string') return exchange(user, assistant);
  }
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected it to return [user, assistant], { user, assistant }, an array of { role, content } messages, or null to ` +
      `skip the row, but received ${describeReturn(value)}.`,
  );
}

function exchange(user: string, assistant: string): ChatMessage[] {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
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
  const subject = plan.process === null ? 'could not be read' : 'failed in its data processing function';
  const said = cause instanceof Error ? cause.message : String(cause);
  const columns = keys.length === 0 ? '' : ` Its columns: ${keys.join(', ')}.`;
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Dataset "${plan.name}" (${plan.path}), ${sample.where} ${subject}: ${said}${/[.!?]$/.test(said) ? '' : '.'}${columns}`,
    { details: { dataset: plan.name, row: sample.index, where: sample.where, keys }, cause },
  );
}
