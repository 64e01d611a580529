import { describe, expect, test } from 'vitest';
import { JsonNumber } from '../../src/common/json-number.js';
import { processRow as processColumns } from '../../src/data/chats/process-row.js';

const processRow = (row: unknown, contextMode: unknown = false) => {
  const { chat } = processColumns(row, contextMode);
  const { messages, ...rest } = chat as Exclude<typeof chat, { text: string }>;
  return Object.keys(rest).length === 0 ? messages : { messages, ...rest };
};

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
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { type: 'text', text: 'c' },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [{ name: 'f' }] },
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

describe('what stands beside', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: {} } };

  test.each(['system', 'system_prompt', 'system_message'])('a column %s goes in front', (column) => {
    const system = { role: 'system', content: 's' };
    expect(processRow({ [column]: 's', question: 'q', answer: 'a' })).toEqual([system, ...pair('q', 'a')]);
    expect(processRow({ [column]: 's', messages: pair('q', 'a') })).toEqual([system, ...pair('q', 'a')]);
    const own = [
      { from: 'system', value: 'own' },
      { from: 'human', value: 'q' },
      { from: 'gpt', value: 'a' },
    ];
    expect(processRow({ [column]: 's', conversations: own })).toEqual([
      { role: 'system', content: 's\n\nown' },
      ...pair('q', 'a'),
    ]);
    for (const nothing of ['', null]) {
      expect(processRow({ [column]: nothing, question: 'q', answer: 'a' })).toEqual(pair('q', 'a'));
    }
  });

  test('tools as a list and as JSON text, template variables', () => {
    for (const tools of [[tool], JSON.stringify([tool]), [JSON.stringify(tool)]]) {
      expect(processRow({ messages: pair('q', 'a'), tools })).toEqual({
        messages: pair('q', 'a'),
        tools: [tool],
      });
    }
    expect(processRow({ messages: pair('q', 'a'), functions: [tool.function] })).toEqual({
      messages: pair('q', 'a'),
      tools: [tool],
    });
    for (const kwargs of [{ enable_thinking: false }, '{"enable_thinking":false}']) {
      expect(processRow({ messages: pair('q', 'a'), chat_template_kwargs: kwargs })).toEqual({
        messages: pair('q', 'a'),
        variables: { enable_thinking: false },
      });
    }
  });

  test('history, in pairs and in messages, stands after the system prompt', () => {
    const row = { system: 's', instruction: 'q', output: 'a' };
    const all = [{ role: 'system', content: 's' }, ...pair('p', 'b'), ...pair('q', 'a')];
    expect(processRow({ ...row, history: [['p', 'b']] })).toEqual(all);
    expect(processRow({ ...row, history: pair('p', 'b') })).toEqual(all);
    expect(processRow({ ...row, history: '[["p","b"]]' })).toEqual(all);
    expect(processRow({ ...row, history: [] })).toEqual([all[0], ...pair('q', 'a')]);
  });

  test('other columns of text and lists are named', () => {
    const row = { id: 7, source: 'web', tags: ['x'], empty: '', question: 'q', answer: 'a', passage: 'p' };
    expect(processColumns(row).ignored).toEqual(['source', 'tags', 'passage']);
    expect(processColumns({ system: '', tools: null, messages: pair('q', 'a') }).ignored).toEqual([]);
  });

  test('input and context of an instruction both count, numbers too', () => {
    const row = { instruction: 'Add', input: 5, context: 'c', output: new JsonNumber('1.0') };
    expect(processRow(row)).toEqual(pair('Add\n\n5\n\nc', '1.0'));
  });

  test('plain text', () => {
    expect(processColumns({ text: 'x', label: 'l' })).toEqual({ chat: { text: 'x' }, ignored: ['label'] });
  });
});

describe('columns of a configuration', () => {
  const row = { ask: 'q', reply: 'a', who: 's', facts: 'c', turns: JSON.stringify(pair('q', 'a')) };

  test('user, assistant, system, context', () => {
    const columns = { user: 'ask', assistant: 'reply', system: 'who', context: 'facts' };
    expect(processColumns(row, false, columns)).toEqual({
      chat: { messages: [{ role: 'system', content: 's' }, ...pair('q\n\nc', 'a')] },
      ignored: [],
    });
  });

  test('messages, text', () => {
    expect(processColumns(row, false, { messages: 'turns' }).chat).toEqual({ messages: pair('q', 'a') });
    expect(processColumns(row, false, { text: 'ask' }).chat).toEqual({ text: 'q' });
  });

  test('one that is not there', () => {
    expect(() => processColumns(row, false, { user: 'ask', assistant: 'say' })).toThrow(
      /column "say", which is "assistant".*columns are: ask, reply, who, facts, turns/s,
    );
  });
});

describe('messages', () => {
  const call = { type: 'function', function: { name: 'f', arguments: { x: 1 } } };

  test.each([
    ['Human', 'user'],
    ['USER', 'user'],
    ['prompter', 'user'],
    ['GPT', 'assistant'],
    ['chatbot', 'assistant'],
    ['System', 'system'],
    ['observation', 'tool'],
    ['function_response', 'tool'],
    ['developer', 'developer'],
    ['ipython', 'ipython'],
  ])('the role %s is %s', (from, role) => {
    expect(processRow({ conversations: [{ from, value: 'x' }] })).toEqual([{ role, content: 'x' }]);
  });

  test('an unknown role is named', () => {
    expect(() => processRow({ messages: [{ role: 'assistent', content: 'x' }] })).toThrow(
      /messages\[0\] to have a known role .*found "assistent" \(did you mean "assistant"\?\)/,
    );
  });

  test("ShareGPT's function_call and OpenAI's older function_call", () => {
    const value = '{"name":"f","arguments":{"x":1}}';
    expect(processRow({ conversations: [{ from: 'function_call', value }] })).toEqual([
      { role: 'assistant', content: '', tool_calls: [call] },
    ]);
    const old = { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"x":1}' } };
    expect(processRow({ messages: [old] })).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
      },
    ]);
    expect(() => processRow({ conversations: [{ from: 'function_call', value: 'f(1)' }] })).toThrow(
      /content of conversations\[0\] to be JSON/,
    );
  });

  test('keys of tool use and reasoning stay', () => {
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: null, reasoning_content: 'hm', tool_calls: [call] },
      { role: 'tool', content: '1', name: 'f', tool_call_id: 'c1' },
      { role: 'assistant', tool_calls: [call] },
    ];
    expect(processRow({ messages })).toEqual(messages);
    expect(processRow({ messages: JSON.stringify(messages) })).toEqual(messages);
  });

  test('null means absent, and an empty list of calls too', () => {
    const messages = [
      { role: 'user', content: 'q', tool_calls: null, name: null },
      { role: 'assistant', content: 'a', tool_calls: [] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ type: 'function', function: { name: 'f', arguments: { x: 1, y: null } } }],
      },
    ];
    expect(processRow({ messages })).toEqual([
      ...pair('q', 'a'),
      { role: 'assistant', content: null, tool_calls: [call] },
    ]);
  });

  test('weight, train and training', () => {
    const [user, assistant] = pair('q', 'a');
    for (const key of [{ weight: 0 }, { train: false }, { training: false }]) {
      expect(processRow({ messages: [user, { ...assistant, ...key }] })).toEqual([
        user,
        { ...assistant, weight: 0 },
      ]);
    }
    const bad = { messages: [user, { ...assistant, weight: 0.5 }] };
    expect(() => processRow(bad)).toThrow(/"weight" of messages\[1\] to be 0 or 1/);
    expect(() => processRow({ messages: [{ ...user, train: true }, assistant] })).toThrow(/role "user"/);
  });

  test('half a surrogate pair is refused', () => {
    expect(() => processRow({ messages: [{ role: 'user', content: 'ab\ud83d' }] })).toThrow(
      /content of messages\[0\] to be text but its character 2 is half of a surrogate pair \(U\+D83D\)/,
    );
    expect(() => processRow({ question: 'q', answer: '\ude00' })).toThrow(/column "answer".*U\+DE00/);
  });

  test('lists of messages that Python printed', () => {
    expect(() => processRow({ messages: "[{'role': 'user'}]" })).toThrow(/json\.dumps/);
  });
});

describe('rows that do not fit', () => {
  test.each([
    [
      { 'the text': 'x', label: 'y' },
      /its columns are: the text, label\..*"columns": { "user": "the text", "assistant": "label" }.*\(sample\) => \[sample\["the text"\], sample\.label\]/s,
    ],
    [{}, /its columns are: none/],
    [{ question: 'q' }, /its columns are: question/],
    [{ question: 'q', answer: null }, /column "answer" to be a string but found null/],
    [{ question: { a: 1 }, answer: 'a' }, /column "question"/],
    [{ messages: 'hi' }, /"messages" to be JSON but it is not/],
    [{ messages: [] }, /"messages" to be a list of messages/],
    [{ messages: [{ content: 'x' }] }, /messages\[0\] to have a role/],
    [{ messages: [{ role: 'user' }] }, /content of messages\[0\] to be a string but found nothing/],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, /only text parts.*image_url/],
    [{ conversations: [{ from: 'human', value: { a: 1 } }] }, /content of conversations\[0\]/],
    [[1], /Expected a row that is an object but found an array/],
    ['text', /Expected a row that is an object but found the string "text"/],
    [null, /found null/],
  ])('%j', (row, message) => {
    expect(() => processRow(row)).toThrow(
      expect.objectContaining({ code: 'DATASET_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
