import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyChatTemplate } from '../../src/tokenizer/template/apply-chat-template.js';
import { encodeChat } from '../../src/tokenizer/encode/encode-chat.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { assistant, copySeed, openTokenizer, system, user } from './open-tokenizer.js';

const chat = [system('S'), user('U'), assistant('A'), user('V'), assistant('B')];

/** The example model's tokenizer without a chat template, and with another model type and other markers. */
async function bare(modelType: string | null, markers: string[] = []): Promise<Tokenizer> {
  const seed = await openTokenizer('seed');
  const { readFile } = await import('node:fs/promises');
  const json = JSON.parse(await readFile(`${seed.dir}/tokenizer.json`, 'utf8')) as {
    added_tokens: { id: number; content: string }[];
    model: { vocab: Record<string, number> };
  };
  // ChatML's markers go, the others come in their place.
  const gone = new Set(['<|im_start|>', '<|im_end|>'].filter((token) => !markers.includes(token)));
  const added = json.added_tokens.map((token) =>
    gone.has(token.content) ? { ...token, content: `<gone ${token.id}>` } : token,
  );
  json.model.vocab = Object.fromEntries(
    Object.entries(json.model.vocab).map(([token, id]) => [gone.has(token) ? `<gone ${id}>` : token, id]),
  );
  let next = seed.vocabSize;
  for (const content of markers) {
    if (!gone.has(content) && seed.tokenToId(content) === undefined) {
      added.push({ ...json.added_tokens[0]!, id: next++, content });
    }
  }
  return Tokenizer.fromPretrained(
    await copySeed({
      'chat_template.jinja': null,
      'tokenizer.json': JSON.stringify({ ...json, added_tokens: added }),
      ...(modelType === null ? {} : { 'config.json': JSON.stringify({ model_type: modelType }) }),
    }),
  );
}

function apply(tokenizer: Tokenizer, chosen: string | null): string[] {
  const warnings: string[] = [];
  applyChatTemplate(tokenizer, chosen, (message) => void warnings.push(message));
  return warnings;
}

const trained = (tokenizer: Tokenizer) => {
  const { inputIds, labels } = encodeChat(tokenizer, chat);
  return tokenizer.decode(
    [...inputIds].filter((_, index) => labels[index] !== -100),
    { skipSpecialTokens: false },
  );
};

const llama = ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];
const phi = ['<|system|>', '<|user|>', '<|assistant|>', '<|end|>'];
const im = ['<|im_start|>', '<|im_end|>'];

describe('built-in templates', () => {
  test.each([
    [
      'llama',
      llama,
      /^(<.*>)?<\|start_header_id\|>system<\|end_header_id\|>\n\nS<\|eot_id\|><\|start_header_id\|>user/,
      'A<|eot_id|>B<|eot_id|>',
    ],
    [
      'phi',
      phi,
      /^<\|system\|>\nS<\|end\|>\n<\|user\|>\nU<\|end\|>\n<\|assistant\|>\nA/,
      'A<|end|>\nB<|end|>\n',
    ],
    ['qwen', im, /^<\|im_start\|>system\nS<\|im_end\|>\n<\|im_start\|>user\nU/, 'A<|im_end|>\nB<|im_end|>\n'],
    ['SmolLM', im, /^<\|im_start\|>system\nS<\|im_end\|>\n/, 'A<|im_end|>\nB<|im_end|>\n'],
    ['chatml', im, /^<\|im_start\|>system\nS<\|im_end\|>\n/, 'A<|im_end|>\nB<|im_end|>\n'],
  ])('%s trains each answer and its end of turn', async (name, markers, start, answers) => {
    const tokenizer = await bare(null, markers);
    expect(apply(tokenizer, name)).toEqual([]);
    expect(tokenizer.renderChat(chat)).toMatch(start);
    expect(trained(tokenizer)).toBe(answers);
    const asked = tokenizer.renderChat(chat.slice(0, 2), { addGenerationPrompt: true });
    expect(tokenizer.renderChat(chat.slice(0, 3)).startsWith(asked)).toBe(true);
  });

  test('llama renders what the real Llama 3.1 template does, but for its system prompt', async () => {
    const real = await openTokenizer('llama3_1');
    const turns = chat.slice(1);
    const wanted = real.renderChat(turns).replace(/<\|start_header_id\|>system.*?<\|eot_id\|>/s, '');
    const other = await Tokenizer.fromPretrained(real.dir);
    apply(other, 'llama');
    expect(other.renderChat(turns)).toBe(wanted);
  });

  test('qwen renders what the real Qwen 3 template does', async () => {
    const real = await openTokenizer('qwen3');
    const other = await Tokenizer.fromPretrained(real.dir);
    apply(other, 'qwen');
    expect(other.renderChat(chat.slice(0, 2))).toBe(real.renderChat(chat.slice(0, 2)));
    expect(trained(other)).toBe('A<|im_end|>\nB<|im_end|>\n');
  });
});

describe('which one is used', () => {
  test('the model’s own, unless another is chosen', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed());
    const own = tokenizer.chatTemplate;
    expect(apply(tokenizer, null)).toEqual([]);
    expect(tokenizer.chatTemplate).toBe(own);
    apply(tokenizer, '{{ messages[0].content }}');
    expect(tokenizer.renderChat([user('x')])).toBe('x');
  });

  test.each([
    ['llama', llama, 'llama'],
    ['llama', im, 'smollm'],
    ['phi3', phi, 'phi'],
    ['qwen2', im, 'qwen'],
    ['smollm3', im, 'smollm'],
    ['olmo', im, 'chatml'],
    [null, im, 'chatml'],
  ])('inferred from model type %j and the markers of its vocabulary', async (type, markers, name) => {
    const tokenizer = await bare(type, markers);
    expect(apply(tokenizer, null)).toEqual([
      expect.stringMatching(new RegExp(`no chat template; the built-in one "${name}"`)),
    ]);
    expect(tokenizer.renderChat(chat)).toContain('S');
  });

  test.each([
    ['llama', 'its model type is "llama"'],
    [null, 'its model type is not known'],
  ])('none can be inferred for model type %j', async (type, words) => {
    const tokenizer = await bare(type);
    expect(() => apply(tokenizer, null)).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(new RegExp(`${words}.*llama, phi, qwen, smollm, chatml`)),
      }),
    );
  });

  test('a name that is none, and one whose markers the vocabulary lacks', async () => {
    const tokenizer = await bare(null);
    expect(() => apply(tokenizer, 'chatlm')).toThrow(/one of llama, phi.*Did you mean "chatml"/);
    expect(apply(tokenizer, 'llama')).toEqual([
      expect.stringMatching(/no token <\|start_header_id\|>, .*<\|eot_id\|>/),
    ]);
    expect(trained(tokenizer)).toBe('A<|eot_id|>B<|eot_id|>');
  });

  test('the path of a file, with line ends of Windows', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed());
    const path = join(await copySeed(), 'own.jinja');
    await writeFile(path, '{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}\r\n');
    expect(apply(tokenizer, path)).toEqual([]);
    expect(tokenizer.renderChat([user('x'), assistant('y')])).toBe('x\ny\n');
    tokenizer.chatTemplate = relative(process.cwd(), path);
    expect(tokenizer.renderChat([user('x')])).toBe('x\n');
    for (const missing of ['./nowhere.jinja', 'some/where']) {
      expect(() => apply(tokenizer, missing)).toThrow(
        expect.objectContaining({ code: 'CHAT_TEMPLATE_FAILED', message: expect.stringContaining(missing) }),
      );
    }
  });

  test('is saved with the tokenizer', async () => {
    const tokenizer = await bare('qwen2', im);
    apply(tokenizer, null);
    const dir = await copySeed({ 'chat_template.jinja': null });
    await tokenizer.savePretrained(dir);
    expect((await Tokenizer.fromPretrained(dir)).renderChat(chat)).toBe(tokenizer.renderChat(chat));
  });
});
