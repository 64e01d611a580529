import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { processRow } from '../../src/data/chats/process-row.js';
import { sampleToChat } from '../../src/data/chats/sample-to-chat.js';
import { readRows } from '../../src/data/read/read-rows.js';
import { assistant, user } from '../tokenizer/open-tokenizer.js';
import { collect } from './collect.js';
import { dataPlan } from './data-plan.js';
import { writeFiles } from './write-files.js';

/** What a refused row becomes when one does what its message says. */
async function followed(row: Record<string, unknown>): Promise<unknown[]> {
  let message = '';
  try {
    processRow(row);
  } catch (error) {
    message = (error as Error).message;
  }
  const made: unknown[] = [];
  const columns = /"columns": (\{.*?\})/.exec(message)?.[1];
  if (columns !== undefined) made.push(processRow(row, false, JSON.parse(columns) as object).chat);
  const code = /dataProcessingFunction: (\(sample\) => \[.*\])/.exec(message)?.[1];
  if (code !== undefined && !code.includes('userText')) {
    const process = new Function(`return ${code}`)() as () => never;
    const sample = { value: row, where: 'row 0', index: 0, done: 0 };
    made.push((await sampleToChat({ ...dataPlan('x'), process }, sample))!.chat);
  }
  return made;
}

const pair = { messages: [user('u'), assistant('a')] };

describe('the advice for columns that are not known works for that row', () => {
  test.each<[string, Record<string, unknown>, unknown[]]>([
    ['two texts', { ask: 'u', reply: 'a' }, [pair, pair]],
    ['names that are no identifiers', { 'the ask': 'u', 'a "reply"': 'a' }, [pair, pair]],
    ['an id and other things before them', { id: 7, tags: ['x'], ask: 'u', reply: 'a' }, [pair, pair]],
    ['one text', { id: 7, body: 'words' }, [{ text: 'words' }]],
    ['messages under another name', { id: 'x', dialogue: pair.messages }, [pair]],
    ['preferences: whole chats', { chosen: pair.messages, rejected: [user('u'), assistant('no')] }, [pair]],
    ['preferences: texts', { prompt: 'u', chosen: 'a', rejected: 'no' }, [pair]],
    ['preferences: in another order', { rejected: 'no', chosen: 'a', question: 'u' }, [pair]],
    [
      'preferences: a prompt of messages',
      { prompt: [user('u')], chosen: [assistant('a')], rejected: [assistant('no')] },
      [pair],
    ],
    ['preferences: texts without a prompt', { chosen: 'all', rejected: 'no' }, [{ text: 'all' }]],
    ['nothing of the kind', { values: [1, 2] }, []],
  ])('%s', async (_, row, made) => {
    expect(await followed(row)).toEqual(made);
  });
});

test('rows in a list of an object are told to be those of the file', () => {
  const row = { version: '1', data: [{ ask: 'u', reply: 'a' }] };
  expect(() => processRow(row)).toThrow('Its rows seem to be in the list "data": write that list alone');
});

test('what looks like a row in place of the names of the columns is told', () => {
  const row = { 'What is one?': 'What is two?', 'It is 1.': 'It is 2.' };
  expect(() => processRow(row)).toThrow(/"user": "What is one\?".*put a line with names in front of it/);
  expect(() => processRow({ ask: 'u', reply: 'a' })).not.toThrow(/put a line/);
});

describe('a column that is null', () => {
  test('is absent where another shape fits', () => {
    const { chat } = processRow({
      messages: null,
      conversations: null,
      prompt: 'u',
      completion: 'a',
      text: null,
    });
    expect(chat).toEqual(pair);
    expect(processRow({ messages: null, text: 'words' }).chat).toEqual({ text: 'words' });
  });

  test('is refused by name where none does', () => {
    expect(() => processRow({ question: 'q', answer: null })).toThrow(
      /column "answer" to be a string but found null/,
    );
    expect(() => processRow({ messages: null })).toThrow(
      /"messages" to be a list of messages but found null/,
    );
  });
});

test.each(['rows.jsonl', 'rows.json', 'rows.csv'])(
  '%s in UTF-16 is told as what it is, once',
  async (name) => {
    for (const bytes of [
      Buffer.from('\ufeff{"a":1}\n{"a":2}', 'utf16le'),
      Buffer.from('\ufeffa', 'utf16le').swap16(),
    ]) {
      const path = join(await writeFiles({ [name]: bytes }), name);
      await expect(collect(readRows(path))).rejects.toThrow(/UTF-8 text in .* but it is UTF-16/);
    }
  },
);
