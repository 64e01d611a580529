import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { tempDir } from '../helpers/temp-dir.js';

/** seed-lm with a tokenizer that knows one token more than the model. */
function withAddedToken(): string {
  const dir = tempDir();
  cpSync('examples/seed-lm', dir, { recursive: true });
  const path = join(dir, 'tokenizer.json');
  const tokenizer = JSON.parse(readFileSync(path, 'utf8')) as { added_tokens: { id: number }[] };
  const { vocab_size: id } = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as {
    vocab_size: number;
  };
  const token = {
    content: '<|new|>',
    lstrip: false,
    rstrip: false,
    normalized: false,
    single_word: false,
    special: true,
  };
  tokenizer.added_tokens.push({ id, ...token } as never);
  writeFileSync(path, JSON.stringify(tokenizer));
  return dir;
}

describe('trainAdaptively with a tokenizer that has an added token', () => {
  it.each([null, { r: 2 }])('gives the model a row for it (peftConfig: %j)', async (peftConfig) => {
    const modelName = withAddedToken();
    const data = join(tempDir(), 'rows.jsonl');
    const row = (i: number) => JSON.stringify({ question: `What is ${i}?`, answer: `<|new|> It is ${i}.` });
    writeFileSync(data, Array.from({ length: 4 }, (_, i) => row(i)).join('\n'));
    const warnings: string[] = [];
    const path = await trainAdaptively(
      {
        modelName,
        outputDir: tempDir(),
        datasetsConfig: { both: [data] },
        peftConfig,
        trainingConfig: { maxSteps: 1, gradientAccumulationSteps: 1, bf16: true, evalStrategy: 'no' },
      },
      { progress: false, onEvent: (event) => void (event.type === 'warning' && warnings.push(event.code)) },
    );
    expect(warnings).toContain('VOCABULARY_RESIZED');
    const [before, after] = [await CausalLM.fromPretrained(modelName), await CausalLM.fromPretrained(path)];
    expect(after.vocabSize).toBe(before.vocabSize + 1);
    expect((await after.logits([[before.vocabSize]])).shape).toEqual([1, after.vocabSize]);
    before.dispose();
    after.dispose();
  });
});
