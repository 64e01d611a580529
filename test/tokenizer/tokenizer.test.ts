import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { assistant, copySeed, openTokenizer, seedDir, user } from './open-tokenizer.js';

const read = (dir: string, name: string) => readFile(join(dir, name), 'utf8');

describe('text and ids', () => {
  test('sizes and special tokens are those of transformers', async () => {
    const figures = await Promise.all(
      ['seed', 'llama3_1', 'qwen3', 'gemma3'].map(async (name) => {
        const { vocabSize, eosTokenId, padTokenId, bosTokenId, paddingSide } = await openTokenizer(name);
        return [vocabSize, eosTokenId, padTokenId, bosTokenId, paddingSide];
      }),
    );
    expect(figures).toEqual([
      [4096, 2, 0, null, 'right'],
      [128256, 128009, null, 128000, 'right'],
      [151669, 151645, 151643, null, 'right'],
      [262145, 106, 0, 2, 'left'],
    ]);
  });

  test.each(['seed', 'llama3_1', 'qwen3', 'gemma3'])('%s gives back the text it was given', async (name) => {
    const tokenizer = await openTokenizer(name);
    const text = "It is , well , 3.5 % of “naïve” 👩‍👩‍👧 people\n\n\tI  do n't 日本語";
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('special tokens are added and skipped when asked for', async () => {
    const tokenizer = await openTokenizer('llama3_1');
    const plain = tokenizer.encode('Hi');
    const ids = tokenizer.encode('Hi', { addSpecialTokens: true });
    expect(ids).toEqual([128000, ...plain]);
    expect(tokenizer.decode(ids)).toBe('Hi');
    expect(tokenizer.decode(Int32Array.from(ids), { skipSpecialTokens: false })).toBe('<|begin_of_text|>Hi');
  });

  test('gpt2 has its special tokens though its files name none', async () => {
    const dir = await copySeed({
      'tokenizer_config.json': '{"model_max_length": 1024}',
      'config.json': '{"model_type": "gpt2"}',
    });
    const { eosTokenId, bosTokenId, padTokenId } = await Tokenizer.fromPretrained(dir);
    expect([eosTokenId, bosTokenId, padTokenId]).toEqual([0, 0, null]);
  });
});

describe('chat templates', () => {
  const chat = [user('Hi'), assistant('Yo')];

  test.each([
    [
      'chat_template.json',
      { 'chat_template.json': '{"chat_template": "J{{ messages[0].content }}"}' },
      'JHi',
    ],
    [
      'tokenizer_config.json',
      { 'tokenizer_config.json': '{"chat_template": "C{{ messages|length }}"}' },
      'C2',
    ],
    [
      'a list of named ones',
      {
        'tokenizer_config.json':
          '{"chat_template": [{"name":"rag","template":"R"},{"name":"default","template":"D"}]}',
      },
      'D',
    ],
  ])('is read from %s', async (_, files, text) => {
    const tokenizer = await Tokenizer.fromPretrained(
      await copySeed({ ...files, 'chat_template.jinja': null }),
    );
    expect(tokenizer.renderChat(chat)).toBe(text);
  });

  test('a file of its own goes before tokenizer_config.json', async () => {
    const files = { 'tokenizer_config.json': '{"chat_template": "C"}', 'chat_template.jinja': 'F' };
    const tokenizer = await Tokenizer.fromPretrained(await copySeed(files));
    expect(tokenizer.renderChat(chat)).toBe('F');
  });

  test('the generation prompt opens an assistant turn', async () => {
    const tokenizer = await openTokenizer('seed');
    const text = tokenizer.renderChat([user('Hi')], { addGenerationPrompt: true });
    expect(text).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n');
  });

  test('variables, white space and Python methods are as in transformers', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed());
    const render = (template: string) => {
      tokenizer.chatTemplate = template;
      return tokenizer.renderChat([user('\n x \n')]);
    };
    expect(render("{{ eos_token }}|{{ bos_token }}|{{ 'none' if tools is defined and tools is none }}")).toBe(
      '<|im_end|>||none',
    );
    expect(render('a\n  {% if true %}\n  b\n  {% endif %}\nc\n')).toBe('a\n  b\nc');
    expect(render("[{{ messages[0].content.strip('\n') }}][{{ messages[0]['content'].strip() }}]")).toBe(
      '[ x ][x]',
    );
    expect(render("{{ strftime_now('%Y') }}")).toBe(String(new Date().getFullYear()));
    expect(render('{% for i in range(3) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}')).toBe(
      '02',
    );
    expect(render('{% generation %}a{% endgeneration %}')).toBe('a');
  });

  test('a template that throws is named, with its reason', async () => {
    const dir = await copySeed({ 'chat_template.jinja': "{{ raise_exception('roles must alternate') }}" });
    const tokenizer = await Tokenizer.fromPretrained(dir);
    expect(() => tokenizer.renderChat(chat)).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/chat_template\.jinja.*user, assistant.*roles must alternate/s),
      }),
    );
  });

  test('one that cannot be parsed, and none at all, say so', async () => {
    const broken = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': '{% if %}' }));
    expect(() => broken.renderChat(chat)).toThrow(/could not be parsed/);
    const none = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': null }));
    expect(none.chatTemplate).toBeNull();
    expect(() => none.renderChat(chat)).toThrow(
      expect.objectContaining({ code: 'CHAT_TEMPLATE_FAILED', message: expect.stringMatching(/found none/) }),
    );
  });
});

describe('files that are wrong', () => {
  test.each([
    ['tokenizer.json', null, /Expected tokenizer\.json in/],
    ['tokenizer_config.json', null, /Expected tokenizer_config\.json in/],
    ['tokenizer.json', '{"model": ', /valid JSON in .*tokenizer\.json/],
    ['tokenizer.json', '[]', /a JSON object in .*tokenizer\.json/],
    ['tokenizer.json', '{"added_tokens": []}', /"model"/],
    ['tokenizer.json', '{"model": {"type": "Novel"}}', /was refused/],
    ['tokenizer_config.json', '{"chat_template": 3}', /chat_template that is a string/],
  ])('%s: %s', async (name, text, message) => {
    const files = { 'chat_template.jinja': null, [name]: text };
    await expect(Tokenizer.fromPretrained(await copySeed(files))).rejects.toThrow(
      expect.objectContaining({ code: 'TOKENIZER_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test('a folder that is not there', async () => {
    await expect(Tokenizer.fromPretrained('/nowhere/at/all')).rejects.toThrow(/\/nowhere\/at\/all/);
  });
});

describe('savePretrained', () => {
  test('copies the files byte for byte', async () => {
    const target = join(await mkdtemp(join(tmpdir(), 'saved-')), 'deep/model');
    await (await openTokenizer('seed')).savePretrained(target);
    const names = ['chat_template.jinja', 'tokenizer.json', 'tokenizer_config.json'];
    expect((await readdir(target)).sort()).toEqual(names);
    for (const name of names) expect(await read(target, name)).toBe(await read(seedDir, name));
  });

  test('writes a changed padding side and template, and leaves numbers as they are written', async () => {
    const config =
      '{\n  "model_max_length": 1000000000000000019884624838656,\n  "eos_token": "<|im_end|>"\n}\n';
    const dir = await copySeed({ 'tokenizer_config.json': config });
    const tokenizer = await Tokenizer.fromPretrained(dir);
    tokenizer.paddingSide = 'left';
    tokenizer.chatTemplate = 'T';
    const target = await mkdtemp(join(tmpdir(), 'saved-'));
    await tokenizer.savePretrained(target);
    const written = await read(target, 'tokenizer_config.json');
    expect(written).toBe(config.replace('{', '{\n  "padding_side": "left",'));
    const again = await Tokenizer.fromPretrained(target);
    expect([again.paddingSide, again.chatTemplate, again.eosTokenId]).toEqual(['left', 'T', 2]);
    again.paddingSide = 'right';
    await again.savePretrained(target);
    expect(await read(target, 'tokenizer_config.json')).toBe(written.replace('"left"', '"right"'));
  });

  test('a padding side that is none, and a source that is gone, are refused', async () => {
    const dir = await copySeed();
    const tokenizer = await Tokenizer.fromPretrained(dir);
    expect(() => (tokenizer.paddingSide = 'middle' as 'left')).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
    await rm(dir, { recursive: true });
    await expect(tokenizer.savePretrained(join(tmpdir(), 'never'))).rejects.toThrow(
      expect.objectContaining({ code: 'IO_FAILED' }),
    );
  });
});
