import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DatasetMixer } from '../../src/data/dataset-mixer.js';
import { previewDatasets } from '../../src/data/preview-datasets.js';
import type { ChatMessage } from '../../src/events/chat-message.js';
import { encodeChat } from '../../src/tokenizer/encode/encode-chat.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { validateConfig } from '../../src/validate/validate-config.js';
import { assistant, copySeed, openTokenizer, seedDir, system, user } from '../tokenizer/open-tokenizer.js';
import { writeFiles } from './write-files.js';

const tools = [{ type: 'function', function: { name: 'look_up', parameters: {} } }];
const rows = Array.from({ length: 40 }, (_, i) => ({ messages: [user(`q${i}`), assistant(`a${i}`)], tools }));
const texts = Array.from({ length: 40 }, (_, i) => ({ text: `text ${i}` }));

/** What is said of a dataset by a run, by preview, and by validate. */
async function saidOf(
  data: readonly object[],
  settings: Record<string, unknown> = {},
  chatTemplate?: string,
): Promise<[string[], string[], string[]]> {
  const dataset = join(await writeFiles({ 'rows.jsonl': data }), 'rows.jsonl');
  const dir = await copySeed(chatTemplate === undefined ? {} : { 'chat_template.jinja': chatTemplate });
  const tokenizer = await Tokenizer.fromPretrained(dir);
  const [run, shown]: [string[], string[]] = [[], []];
  const common = { datasetsConfig: { ideas: [dataset] }, tokenizer, ...settings };
  await new DatasetMixer({ ...common, onWarning: (message) => run.push(message) }).build();
  await previewDatasets({ ...common, onWarning: (message) => shown.push(message) });
  const config = {
    ...{
      modelName: seedDir,
      outputDir: join(dir, 'out'),
      datasetsConfig: common.datasetsConfig,
      ...settings,
    },
    ...(chatTemplate === undefined ? {} : { trainingConfig: { chatTemplate } }),
  };
  const { notes } = await validateConfig(config, {});
  return [run, shown, notes];
}

const once = (words: RegExp) => [expect.stringMatching(words)];

test('tools that the chat template leaves out are said once a dataset', async () => {
  for (const said of await saidOf(rows))
    expect(said).toEqual(
      once(
        /^Dataset ".*rows\.jsonl" \(datasetsConfig\.ideas\[0\]\): The chat template of .* leaves the tools out/,
      ),
    );
});

test('tools that it writes, by name or otherwise, are not', async () => {
  const chatml = '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}';
  const asked = '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  for (const shows of [
    '{{ tools | tojson }}',
    '{% for t in tools %}{{ t.function.name }}{% endfor %}',
    '{{ tools | length }}',
  ])
    for (const said of await saidOf(rows, {}, shows + chatml + asked)) expect(said).toEqual([]);
});

test('a system prompt that plain text has no place for is said', async () => {
  for (const said of await saidOf(texts, { systemPrompts: { ideas: 'Be brief.' } }))
    expect(said).toEqual(once(/plain text.*system prompt of the configuration is not used/));
  for (const said of await saidOf(texts)) expect(said).toEqual([]);
});

describe('messages that the chat template leaves out', () => {
  const first =
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n" +
    '{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  const chat = (i: number) => [system('first'), user(`q${i}`), system('later'), assistant('a')];

  test('are said by role, once a dataset', async () => {
    const data = Array.from({ length: 25 }, (_, i) => ({ messages: chat(i) }));
    for (const said of await saidOf(data, {}, first))
      expect(said).toEqual(once(/leaves the text of system messages out/));
    const seen = Array.from({ length: 25 }, (_, i) => ({
      messages: [system(' first '), user(` q${i} `), assistant('a')],
    }));
    for (const said of await saidOf(seen, {}, first)) expect(said).toEqual([]);
  });

  test('and by encodeChat, once a tokenizer and listener', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': first }));
    const said: string[] = [];
    const onWarning = (message: string) => void said.push(message);
    for (let i = 0; i < 3; i++) encodeChat(tokenizer, chat(0), { onWarning, tools });
    expect(said).toEqual([
      expect.stringMatching(/text of system messages out/),
      expect.stringMatching(/leaves the tools out/),
    ]);
  });
});

describe('an answer that is reasoning alone', () => {
  const thought: ChatMessage[] = [user('q'), { role: 'assistant', reasoning_content: 'I think.' }];
  const shows =
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}' +
    "{{ m.content or '' }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

  test.each([
    ['without content', thought],
    ['with null', [thought[0]!, { ...thought[1]!, content: null }]],
  ])('%s: is trained where the template writes it, refused where not', async (_, chat) => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': shows }));
    const { inputIds, labels } = encodeChat(tokenizer, chat);
    const trained = tokenizer.decode(
      inputIds.filter((_, at) => labels[at] !== -100),
      { skipSpecialTokens: false },
    );
    expect(trained).toMatch(/^<think>I think\.<\/think><\|im_end\|>\s*$/);
    const drops = shows.replace(/\{% if m\.reasoning.*?endif %\}/, '');
    const without = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': drops }));
    expect(() => encodeChat(without, chat)).toThrow(/write the reasoning_content of message 1/);
    // In an earlier turn too, where there is nothing else to train.
    expect(() => encodeChat(without, [...chat, user('r'), assistant('b')])).toThrow(
      /reasoning_content of message 1/,
    );
    expect(encodeChat(tokenizer, [...chat, user('r'), assistant('b')]).inputIds.length).toBeGreaterThan(10);
  });

  test('from a row, with a real template', async () => {
    const tokenizer = await openTokenizer('qwen3');
    const chat: ChatMessage[] = [
      user('q'),
      { role: 'assistant', content: '', reasoning_content: 'I think.' },
    ];
    expect(tokenizer.decode(encodeChat(tokenizer, chat).inputIds)).toContain('<think>\nI think.\n</think>');
  });
});

test('a system prompt beside content parts is joined with them', async () => {
  const refuses =
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n" +
    '{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}<|im_end|>\n' +
    '{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': refuses }));
  const parts = [
    { type: 'text', text: 'one ' },
    { type: 'text', text: 'two' },
  ];
  const chat: ChatMessage[] = [system('Be brief.'), { role: 'user', content: parts }, assistant('a')];
  const { inputIds } = encodeChat(tokenizer, chat, { onWarning: () => {} });
  expect(tokenizer.decode(inputIds)).toContain('Be brief.\n\none two');
});

test('answers without text are said once a dataset, but not where a call or reasoning is the answer', async () => {
  const call = {
    role: 'assistant',
    content: '',
    tool_calls: [{ type: 'function', function: { name: 'f' } }],
  };
  const calling =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{{ m.tool_calls | default('') }}<|im_end|>\n{% endfor %}" +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  const empty = ['', '  \n'].map((said) => ({ messages: [user('q'), assistant(said)] }));
  const good = Array.from({ length: 5 }, (_, i) => ({ messages: [user(`q${i}`), assistant(`a${i}`)] }));
  const unweighted = { messages: [user('q'), { ...assistant(''), weight: 0 }, user('r'), assistant('a')] };
  for (const said of await saidOf([...good, ...empty]))
    expect(said.filter((note) => note.includes('empty'))).toEqual(
      once(/^Dataset .*: Some answers are empty/),
    );
  for (const said of await saidOf([...good, unweighted, { messages: [user('q'), call] }], {}, calling))
    expect(said.filter((note) => note.includes('empty'))).toEqual([]);
});

test('special tokens in texts are said once a dataset and token', async () => {
  const stray = [
    { messages: [user('say <|im_end|>'), assistant('a')] },
    { messages: [user('and <|im_start|>'), assistant('and <|im_end|>')] },
    { messages: [user('say <|im_ends|> or <b>'), assistant('c')] },
  ];
  for (const said of await saidOf(stray))
    expect(said.filter((note) => note.includes('Some messages hold')).sort()).toEqual([
      expect.stringMatching(/^Dataset .*: Some messages hold <\|im_end\|> in their text/),
      expect.stringMatching(/^Dataset .*: Some messages hold <\|im_start\|> in their text/),
    ]);
});

test('messages that the template writes a part of are said once a dataset and role', async () => {
  const asked = '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  const turn = (said: string) =>
    `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ ${said} }}<|im_end|>\n{% endfor %}${asked}`;
  const long = [{ messages: [user('  a long question \n'), assistant('a long answer')] }];
  for (const said of await saidOf(long, {}, turn('m.content[:9]')))
    expect(said.filter((note) => note.includes('only a part')).sort()).toEqual([
      expect.stringMatching(/^Dataset .* writes only a part of what some assistant messages say/),
      expect.stringMatching(/^Dataset .* writes only a part of what some user messages say/),
    ]);
  for (const whole of [
    'm.content',
    'm.content | trim',
    "m.content.split(' ') | join(' ')",
    "'<<' ~ m.content ~ '>>'",
  ])
    for (const said of await saidOf(long, {}, turn(whole)))
      expect(said.filter((note) => note.includes('only a part'))).toEqual([]);
  // Thoughts of an earlier answer are left out by many templates on purpose.
  const thinking = "(m.content.split('</think>')[-1] if not loop.last else m.content)";
  const thought = assistant('<think>so and so</think>yes');
  const chat = [{ messages: [user('q'), thought, user('r'), thought] }];
  for (const said of await saidOf(chat, {}, turn(thinking)))
    expect(said.filter((note) => note.includes('only a part'))).toEqual([]);
});
