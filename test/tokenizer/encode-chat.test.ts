import { describe, expect, test, vi } from 'vitest';
import type { ChatMessage } from '../../src/events/chat-message.js';
import { encodeChat, type EncodeChatOptions } from '../../src/tokenizer/encode/encode-chat.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import {
  assistant,
  copySeed,
  openTokenizer,
  readJson,
  system,
  user,
  type GoldenChat,
} from './open-tokenizer.js';

const goldenChats = await readJson<GoldenChat[]>('test/fixtures/chat/cases.json');

/** The trained parts of an encoded chat as text, one entry per run of trained tokens. */
function trainedText(tokenizer: Tokenizer, messages: ChatMessage[], options?: EncodeChatOptions): string[] {
  const { inputIds, labels } = encodeChat(tokenizer, messages, options);
  expect([...inputIds]).toEqual(tokenizer.encode(tokenizer.renderChat(messages)));
  const runs: number[][] = [];
  labels.forEach((label, index) => {
    if (label === -100) return;
    expect(label).toBe(inputIds[index]);
    if (index === 0 || labels[index - 1] === -100) runs.push([]);
    runs.at(-1)?.push(label);
  });
  return runs.map((run) => tokenizer.decode(run, { skipSpecialTokens: false }));
}

async function seedWith(template: string): Promise<Tokenizer> {
  const tokenizer = await Tokenizer.fromPretrained(await copySeed());
  tokenizer.chatTemplate = template;
  return tokenizer;
}

describe('golden chats of transformers', () => {
  test.each(goldenChats.map((chat, index) => [`${index} ${chat.tokenizer}`, chat] as const))(
    '%s',
    async (_, chat) => {
      const tokenizer = await openTokenizer(chat.tokenizer);
      expect(tokenizer.renderChat(chat.messages)).toBe(chat.text);
      const { inputIds, labels } = encodeChat(tokenizer, chat.messages);
      expect([...inputIds]).toEqual(chat.ids);
      const mask = Array.from(labels, (label) => (label === -100 ? 0 : 1));
      if (chat.trainingTemplateSameIds) expect(mask).toEqual(chat.assistantMask);
      else expect(mask.reduce((sum: number, one) => sum + one, 0)).toBe(9 + 11);
    },
  );

  test('there are cases of all three models, and one that the training template rewrites', () => {
    expect(new Set(goldenChats.map((chat) => chat.tokenizer))).toEqual(
      new Set(['llama3_1', 'qwen3', 'gemma3']),
    );
    expect(goldenChats.filter((chat) => !chat.trainingTemplateSameIds)).toHaveLength(1);
  });
});

describe('templates that rewrite earlier turns', () => {
  test('Qwen3 trains each answer as it stands, thinking only in the last', async () => {
    const tokenizer = await openTokenizer('qwen3');
    const chat = [
      user('Hi'),
      assistant('<think>\nA greeting.\n</think>\n\nHello! 🙂'),
      user('Say bye 🙂'),
      assistant('<think>\nIn Japanese.\n</think>\n\nさようなら 👋'),
      user('Thanks'),
      assistant('<think>\nDone.\n</think>\n\nWelcome.'),
    ];
    expect(trainedText(tokenizer, chat)).toEqual([
      'Hello! 🙂<|im_end|>\n',
      'さようなら 👋<|im_end|>\n',
      '<think>\nDone.\n</think>\n\nWelcome.<|im_end|>\n',
    ]);
  });

  test('an answer that is empty, or the same as the question, is found where it is', async () => {
    const tokenizer = await openTokenizer('qwen3');
    const chat = [
      user('Echo'),
      assistant('Echo'),
      user('Echo'),
      assistant(''),
      user('Echo'),
      assistant('Echo'),
    ];
    expect(trainedText(tokenizer, chat)).toEqual([
      'Echo<|im_end|>\n',
      '<|im_end|>\n',
      '<think>\n\n</think>\n\nEcho<|im_end|>\n',
    ]);
  });

  test('a header that opens <think> only where an answer is asked for is still recognised', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content.split('</think>')[-1] + '<|im_end|>\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}",
    );
    const chat = [user('a'), assistant('<think>\nhm\n</think>one'), user('b'), assistant('two')];
    expect(trainedText(tokenizer, chat)).toEqual(['one<|im_end|>\n', 'two<|im_end|>\n']);
    expect(trainedText(tokenizer, chat, { trainOnHeader: true })).toEqual([
      '<|im_start|>assistant\none<|im_end|>\n',
      '<|im_start|>assistant\ntwo<|im_end|>\n',
    ]);
  });

  test('what the last turn ends with is trained there, and what the others end with in them', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}" +
        "{{ '<|endoftext|>' if loop.last else '<|im_end|>\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    );
    expect(trainedText(tokenizer, [user('a'), assistant('one'), user('b'), assistant('two')])).toEqual([
      'one<|im_end|>\n',
      'two<|endoftext|>',
    ]);
  });

  test('a turn that is not closed while others are is refused: what it teaches is to go on', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{% if m.role == 'user' %}{{ '\\n[' + m.content + ']' }}{% else %}" +
        '{{ m.content }}{% if loop.last %}{{ "\\n<|im_end|>" }}{% endif %}{% endif %}{% endfor %}',
    );
    expect(trainedText(tokenizer, [user('a'), assistant('one')])).toEqual(['one\n<|im_end|>']);
    expect(() => encodeChat(tokenizer, [user('a'), assistant('one'), user('b'), assistant('two')])).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/none after message 1 \(assistant\), and <\|im_end\|> after another/),
      }),
    );
  });

  test.each([
    [
      'a loop over numbers',
      "{% for i in range(messages|length) %}{{ '<|im_start|>' + messages[i].role + '\n' + messages[i].content + '<|im_end|>\n' }}{% endfor %}",
    ],
    [
      'a macro',
      "{% macro turn(m) %}{{ '<|im_start|>' ~ m['role'] ~ '\n' ~ m['content'] | trim ~ '<|im_end|>\n' }}{% endmacro %}" +
        '{% for m in messages %}{{ turn(m) }}{% endfor %}',
    ],
    [
      'a text that is put together first',
      "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' %}{% endfor %}{{ ns.t }}",
    ],
    [
      'new messages made of the old ones',
      "{% for m in messages | map(attribute='content') %}{{ '<|im_start|>' + ['user', 'assistant'][loop.index0 % 2] + '\n' + m + '<|im_end|>\n' }}{% endfor %}",
    ],
  ])('%s writes the same turns', async (_, template) => {
    const header = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    const tokenizer = await seedWith(template + header);
    expect(trainedText(tokenizer, [user('x'), assistant('x'), user('x'), assistant('y')])).toEqual([
      'x<|im_end|>\n',
      'y<|im_end|>\n',
    ]);
  });

  test('a template that looks for a user turn, and one that closes a turn when the next begins', async () => {
    const looking = await seedWith(
      "{% if messages | selectattr('role', 'equalto', 'user') | list | length == 0 %}{{ raise_exception('no user') }}{% endif %}" +
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    );
    expect(trainedText(looking, [system('s'), assistant('hello'), user('a'), assistant('one')])).toEqual([
      'hello<|im_end|>\n',
      'one<|im_end|>\n',
    ]);
    const late = await seedWith(
      "{% for m in messages %}{% if not loop.first %}{{ eos_token }}{% endif %}{{ m.role + '\n' + m.content }}{% endfor %}" +
        "{{ eos_token if messages[-1].role == 'assistant' else '' }}{% if add_generation_prompt %}{{ eos_token + 'assistant\n' }}{% endif %}",
    );
    expect(trainedText(late, [user('a'), assistant('one'), user('b'), assistant('two')])).toEqual([
      'one<|im_end|>',
      'two<|im_end|>',
    ]);
  });

  test('the template’s own marks decide', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<|im_start|>assistant\n' }}{% generation %}" +
        "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}" +
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}",
    );
    const chat = [user('a'), assistant('one'), user('b'), assistant('two')];
    expect(trainedText(tokenizer, chat)).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  });

  test('a chat of 400 turns is rendered a handful of times', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed());
    const render = vi.spyOn(tokenizer, 'renderChatParts');
    const chat = Array.from({ length: 400 }, (__, turn) => [user(`Q${turn}`), assistant(`A${turn}`)]).flat();
    const runs = encodeChat(tokenizer, chat).labels.filter(
      (label, at, all) => label !== -100 && all[at - 1] === -100,
    );
    expect(runs).toHaveLength(400);
    expect(render.mock.calls.length).toBeLessThan(6);
  });

  test('an answer that the template leaves out is an error, not a row without training', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{% if loop.last or m.role == 'user' %}<|im_start|>{{ m.content }}<|im_end|>{% endif %}{% endfor %}" +
        "{% if add_generation_prompt %}{{ 'never the same' }}{% endif %}",
    );
    const chat = [user('a'), assistant('one'), user('b'), assistant('two')];
    expect(() => encodeChat(tokenizer, chat)).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/message 1 \(assistant\)/),
      }),
    );
  });
});

describe('what is trained', () => {
  test('the seed model: every answer with its end of turn, in ChatML', async () => {
    const tokenizer = await openTokenizer('seed');
    const chat = [
      system('Be brief.'),
      user('2+2?'),
      assistant('4'),
      user('and “é”?'),
      assistant('naïve ☕ – ok\n'),
    ];
    expect(trainedText(tokenizer, chat)).toEqual(['4<|im_end|>\n', 'naïve ☕ – ok\n<|im_end|>\n']);
  });

  test('trainOnHeader takes the header in', async () => {
    const tokenizer = await openTokenizer('llama3_1');
    expect(trainedText(tokenizer, [user('Hi'), assistant('Yo')], { trainOnHeader: true })).toEqual([
      '<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>',
    ]);
  });

  test('a padding token that is also the end of turn stays trained', async () => {
    const config = JSON.stringify({ eos_token: '<|im_end|>', pad_token: '<|im_end|>' });
    const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'tokenizer_config.json': config }));
    expect(tokenizer.padTokenId).toBe(tokenizer.eosTokenId);
    const { labels } = encodeChat(tokenizer, [user('a'), assistant('b')]);
    expect([...labels].filter((label) => label === tokenizer.padTokenId)).toHaveLength(1);
  });

  test('a token over the edge of the answer is trained', async () => {
    // "\n" of the header and "\n\n" of the answer are one token in Qwen3's vocabulary.
    const tokenizer = await openTokenizer('qwen3');
    const chat = [user('a'), assistant('\n\nb'), user('c'), assistant('d')];
    expect(trainedText(tokenizer, chat)[0]).toBe('\n\n\nb<|im_end|>\n');
  });

  test('without an assistant turn nothing is', async () => {
    const tokenizer = await openTokenizer('seed');
    const { labels } = encodeChat(tokenizer, [user('a')]);
    expect(new Set(labels)).toEqual(new Set([-100]));
  });

  test('messages without role or text are refused', async () => {
    const tokenizer = await openTokenizer('seed');
    const bad = [user('a'), { role: 'assistant' } as unknown as ChatMessage];
    expect(() => encodeChat(tokenizer, bad)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    expect(() => encodeChat(tokenizer, [])).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

describe('what an assistant message holds is in the text, or the row is refused', () => {
  const call = { function: { name: 'weather', arguments: { city: 'Zürich', days: 2 } } };
  const tools =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{{ m.content if m.content else '' }}" +
    "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function | tojson }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  const calling = (more: object): ChatMessage[] => [
    user('a'),
    { role: 'assistant', content: '', tool_calls: [call], ...more },
  ];

  test('calls of tools are trained as the template writes them', async () => {
    const tokenizer = await seedWith(tools);
    const text = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich", "days": 2}}<|im_end|>\n';
    expect(trainedText(tokenizer, calling({}))).toEqual([text]);
    expect(trainedText(tokenizer, calling({ content: null }))).toEqual([text]);
  });

  test('keys that are null count as absent', async () => {
    const tokenizer = await seedWith(
      "{% for m in messages %}{% if 'tool_calls' in m %}{{ raise_exception('only one call: ' ~ m.tool_calls) }}{% endif %}" +
        '{{ m.content }}<|im_end|>{% endfor %}',
    );
    const rows = [user('a'), { ...assistant('b'), tool_calls: null, name: null }];
    expect(tokenizer.renderChat(rows)).toBe('a<|im_end|>b<|im_end|>');
  });

  test.each([
    ['tool_calls', { tool_calls: [call] }],
    ['tool_calls', { tool_calls: [{ name: 'weather', arguments: '{}' }] }],
    ['function_call', { function_call: { name: 'weather', arguments: '{}' } }],
    ['reasoning_content', { content: 'b', reasoning_content: 'Well.' }],
  ])('%s that a plain template leaves out', async (key, more) => {
    const tokenizer = await openTokenizer('seed');
    expect(() => encodeChat(tokenizer, [user('a'), { ...assistant(''), ...more }])).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(new RegExp(`the ${key} of message 1 \\(assistant\\)`)),
        details: expect.objectContaining({ fault: 'row' }),
      }),
    );
  });

  test('the arguments count too, and the thoughts of earlier turns do not', async () => {
    const named = await seedWith(tools.replace('c.function | tojson', 'c.function.name'));
    expect(() => encodeChat(named, calling({}))).toThrow(/the tool_calls of message 1/);
    const qwen = await openTokenizer('qwen3');
    const thinking = { ...assistant('b'), reasoning_content: 'Well.' };
    const runs = trainedText(qwen, [user('a'), thinking, user('c'), thinking]);
    expect(runs).toEqual(['b<|im_end|>\n', '<think>\nWell.\n</think>\n\nb<|im_end|>\n']);
  });
});

describe('templates without a system role', () => {
  const turns = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}";
  const chat = [system('Be brief.'), user('Hi'), assistant('Yo')];

  test.each([
    [
      'refuses',
      `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}${turns}{% endfor %}`,
    ],
    ['leaves', `{% for m in messages %}{% if m.role != 'system' %}${turns}{% endif %}{% endfor %}`],
  ])('one that %s it gets the prompt in the first user message, and says so once', async (verb, template) => {
    const tokenizer = await seedWith(template);
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    for (let repeat = 0; repeat < 2; repeat++) {
      const { inputIds } = encodeChat(tokenizer, chat, { onWarning });
      const text = tokenizer.decode(inputIds, { skipSpecialTokens: false });
      expect(text).toBe('<|im_start|>user\nBe brief.\n\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n');
    }
    expect(warnings).toEqual([expect.stringContaining(verb)]);
  });

  test('another refusal is passed on', async () => {
    const tokenizer = await seedWith("{{ raise_exception('never') }}");
    expect(() => encodeChat(tokenizer, chat)).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/tokenizer\.chatTemplate.*never/s),
      }),
    );
  });
});
