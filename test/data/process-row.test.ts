import { describe, expect, test } from 'vitest';
import { processRow } from '../../src/data/chats/process-row.js';

const pair = (user: string, assistant: string) => [
  { role: 'user', content: user },
  { role: 'assistant', content: assistant },
];

describe('shapes', () => {
  test.each([
    ['query', { query: 'q', response: 'a' }],
    ['problem', { problem: 'q', solution: 'a' }],
    ['question', { question: 'q', answer: 'a', id: 7 }],
    ['prompt, response', { prompt: 'q', response: 'a' }],
    ['prompt, completion', { prompt: 'q', completion: 'a' }],
    ['target_price_continuation', { prompt: 'q', target_price_continuation: 'a' }],
    ['input', { input: 'q', output: 'a' }],
    ['user', { user: 'q', assistant: 'a' }],
    ['instruction', { instruction: 'q', input: '', output: 'a' }],
    ['instruction without input', { instruction: 'q', output: 'a' }],
  ])('%s', (_, row) => {
    expect(processRow(row)).toEqual(pair('q', 'a'));
  });

  test('instruction with input, as in Alpaca', () => {
    expect(processRow({ instruction: 'Add', input: '1 2', output: '3' })).toEqual(pair('Add\n\n1 2', '3'));
  });

  test('question_with_context only in context mode', () => {
    const row = { question: 'q', question_with_context: 'c q', answer: 'a' };
    expect(processRow(row)).toEqual(pair('q', 'a'));
    expect(processRow(row, true)).toEqual(pair('c q', 'a'));
    expect(processRow(row, 'verbose')).toEqual(pair('c q', 'a'));
  });

  test('messages keep every turn and their other keys', () => {
    const messages = [
      { role: 'system', content: 's' },
      ...pair('q', 'a'),
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { type: 'text', text: 'c' },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [{ name: 'f' }] },
    ];
    expect(processRow({ messages, prompt: 'q', response: 'no' })).toEqual([
      { role: 'system', content: 's' },
      ...pair('q', 'a'),
      { role: 'user', content: 'bc' },
      { role: 'assistant', content: '', tool_calls: [{ name: 'f' }] },
    ]);
  });

  test('conversations in ShareGPT and in plain names, reasoning marks rewritten', () => {
    const answer = '<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>a<|end_of_solution|>';
    for (const [user, assistant] of [
      ['human', 'gpt'],
      ['user', 'assistant'],
    ]) {
      const conversations = [
        { from: 'system', value: 's' },
        { from: user, value: 'q' },
        { from: assistant, value: answer },
      ];
      expect(processRow({ conversations })).toEqual([
        { role: 'system', content: 's' },
        ...pair('q', '<think>hm</think>\na'),
      ]);
    }
  });

  test('prompt and response in the marks of the Python package', () => {
    const response = '<|thinking|>hm</|thinking|><|actual_response|>a</|actual_response|><|other|>';
    expect(processRow({ prompt: 'q', response })).toEqual(pair('q', '<think>hm</think>a<|other|>'));
  });

  test('prompt and completion as messages, as in TRL', () => {
    const [prompt, completion] = pair('q', 'a');
    expect(processRow({ prompt: [prompt], completion: [completion] })).toEqual(pair('q', 'a'));
  });

  test('numbers are written out', () => {
    expect(processRow({ question: 'q', answer: 42 })).toEqual(pair('q', '42'));
  });
});

describe('rows that do not fit', () => {
  test.each([
    [
      { text: 'x', label: 1 },
      /its columns are: text, label\..*dataProcessingFunction: \(sample, contextMode\) => \[sample\.text/s,
    ],
    [{}, /its columns are: none/],
    [{ question: 'q' }, /its columns are: question/],
    [{ question: 'q', answer: null }, /column "answer" to be a string but found null/],
    [{ question: { a: 1 }, answer: 'a' }, /column "question"/],
    [{ messages: 'hi' }, /"messages" to be a list of messages/],
    [{ messages: [] }, /"messages" to be a list of messages/],
    [{ messages: [{ content: 'x' }] }, /messages\[0\] to have a role/],
    [{ messages: [{ role: 'user' }] }, /content of messages\[0\] to be a string but found nothing/],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, /only text parts.*image_url/],
    [{ conversations: [{ from: 'human', value: 3 }] }, /content of conversations\[0\]/],
    [[1], /Expected a row that is an object but found an array/],
    ['text', /Expected a row that is an object but found the string "text"/],
    [null, /found null/],
  ])('%j', (row, message) => {
    expect(() => processRow(row)).toThrow(
      expect.objectContaining({ code: 'DATASET_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
