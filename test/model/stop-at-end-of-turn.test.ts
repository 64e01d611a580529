import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { stopAtEndOfTurn } from '../../src/model/generation/stop-at-end-of-turn.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { copySeed, openTokenizer } from '../tokenizer/open-tokenizer.js';

const models: CausalLM[] = [];
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

/** A model that ends texts with <|endoftext|>, as a base model does. */
async function base(generation?: object): Promise<CausalLM> {
  const dir = tempDir();
  writeTinyModel(dir, { ...tinyConfig, eos_token_id: 0 });
  if (generation !== undefined)
    writeFileSync(join(dir, 'generation_config.json'), JSON.stringify(generation));
  const model = await CausalLM.fromPretrained(dir);
  models.push(model);
  return model;
}

function tell(model: CausalLM, tokenizer: Tokenizer): string[] {
  const told: string[] = [];
  stopAtEndOfTurn(model, tokenizer, (message) => void told.push(message));
  return told;
}

test('the token that the template ends a turn with ends a text, now and in what is saved', async () => {
  const model = await base({ eos_token_id: 0, temperature: 0.6 });
  const tokenizer = await openTokenizer('seed');
  expect(tell(model, tokenizer)).toEqual([
    expect.stringMatching(
      /ends answers with <\|im_end\|> \(2\), but the model stopped only at <\|endoftext\|>/,
    ),
  ]);
  expect(model.eosTokenIds).toEqual([0, 2]);
  expect(tell(model, tokenizer)).toEqual([]);
  const dir = tempDir();
  await model.savePretrained(dir);
  const saved = JSON.parse(readFileSync(join(dir, 'generation_config.json'), 'utf8')) as unknown;
  expect(saved).toEqual({ eos_token_id: [0, 2], temperature: 0.6 });
  const reopened = await CausalLM.fromPretrained(dir);
  models.push(reopened);
  expect(reopened.eosTokenIds).toEqual([0, 2]);
  expect(tell(reopened, tokenizer)).toEqual([]);
});

test('a model without generation_config.json gets one only where it is needed', async () => {
  const model = await base();
  const plain = tempDir();
  await model.savePretrained(plain);
  expect(existsSync(join(plain, 'generation_config.json'))).toBe(false);
  tell(model, await openTokenizer('seed'));
  const dir = tempDir();
  await model.savePretrained(dir);
  const saved = JSON.parse(readFileSync(join(dir, 'generation_config.json'), 'utf8')) as unknown;
  expect(saved).toEqual({ eos_token_id: [0, 2] });
});

test.each([
  ['ends in no special token', "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"],
  [
    'ends in one that its own marks leave untrained',
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{{ '<|im_end|>' }}{% endfor %}",
  ],
])('an answer that %s: the model learns no place to stop', async (_, template) => {
  const model = await base();
  const tokenizer = await Tokenizer.fromPretrained(await copySeed());
  tokenizer.chatTemplate = template;
  expect(tell(model, tokenizer)).toEqual([expect.stringMatching(/learns no place to stop/)]);
  expect(model.eosTokenIds).toEqual([0]);
});

test.each([
  ['llama3_1', '<|eot_id|>'],
  ['qwen3', '<|im_end|>'],
  ['gemma3', '<end_of_turn>'],
])('%s ends a turn with %s', async (name, token) => {
  const model = await base();
  const tokenizer = await openTokenizer(name);
  expect(tell(model, tokenizer)).toHaveLength(1);
  expect(model.eosTokenIds).toEqual([0, tokenizer.tokenToId(token)]);
});

test('a trainer with a tokenizer trains and saves a model that stops, and says so once', async () => {
  const model = await base();
  const warnings: string[] = [];
  const trainer = new AdaptiveTrainer({
    model,
    tokenizer: await openTokenizer('seed'),
    trainDataset: [{ inputIds: [1, 2, 3], labels: [1, 2, 3], learningStyle: 'misc' }],
    args: { maxSteps: 1, warmupSteps: 0 },
    callbacks: [{ onWarning: ({ code }) => void warnings.push(code) }],
  });
  await trainer.train();
  expect(model.eosTokenIds).toEqual([0, 2]);
  expect(warnings.filter((code) => code === 'END_OF_TURN')).toHaveLength(1);
  const dir = tempDir();
  await trainer.saveModel(dir);
  expect(JSON.parse(readFileSync(join(dir, 'generation_config.json'), 'utf8'))).toEqual({
    eos_token_id: [0, 2],
  });
});

test('an adapter is saved with where its base is to stop, and read with it', async () => {
  const model = await base();
  await model.addAdapter({ r: 2 });
  const plain = tempDir();
  await model.savePretrained(plain);
  expect(existsSync(join(plain, 'generation_config.json'))).toBe(false);
  tell(model, await openTokenizer('seed'));
  const dir = tempDir();
  await model.savePretrained(dir);
  const opened = await CausalLM.fromPretrained(dir);
  const loaded = await CausalLM.fromPretrained(model.dir);
  models.push(opened, loaded);
  expect(loaded.eosTokenIds).toEqual([0]);
  await loaded.loadAdapter(dir);
  expect([opened.eosTokenIds, loaded.eosTokenIds]).toEqual([
    [0, 2],
    [0, 2],
  ]);
  // Without the need for it any more, none is left of the last one.
  const other = await base();
  await other.addAdapter({ r: 2 });
  await other.savePretrained(dir);
  expect(existsSync(join(dir, 'generation_config.json'))).toBe(false);
});
