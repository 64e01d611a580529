import { expect, test } from 'vitest';
import { tokenRuns } from '../../src/data/tokens/token-runs.js';
import { encodeChat } from '../../src/tokenizer/encode/encode-chat.js';
import { assistant, openTokenizer, user } from '../tokenizer/open-tokenizer.js';

test.each(['seed', 'gemma3', 'qwen3'])('%s: the runs of a chat spell its text', async (name) => {
  const tokenizer = await openTokenizer(name);
  const chat = [user('日本 ask'), assistant(' 🙂 yes'), user('é'), assistant('no\n')];
  const { inputIds, labels } = encodeChat(tokenizer, chat);
  const runs = tokenRuns(tokenizer, inputIds, labels);
  expect(runs.map((run) => run.text).join('')).toBe(tokenizer.renderChat(chat));
  expect(runs.map((run) => run.isTrained)).toEqual(
    [false, true, false, true].concat(runs.length > 4 ? [false] : []),
  );
  expect(runs[1]!.text).toContain('🙂 yes');
  expect(runs.reduce((sum, run) => sum + run.tokens, 0)).toBe(inputIds.length);
});

test('a character cut by an edge between runs goes to the first of the two', async () => {
  const tokenizer = await openTokenizer('seed');
  const ids = tokenizer.encode('🙂');
  expect(ids.length).toBeGreaterThan(1);
  const runs = tokenRuns(
    tokenizer,
    ids,
    ids.map((id, index) => (index === 0 ? -100 : id)),
  );
  expect(runs.map((run) => run.text)).toEqual(['🙂', '']);
});
