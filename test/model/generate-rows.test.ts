import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;

interface Greedy {
  penalty: number;
  newTokens: number;
  cases: Record<string, { prompts: number[][]; greedy: number[][]; penalised: number[][] }>;
}

const { penalty, newTokens, cases } = JSON.parse(
  readFileSync(join(fixtures, 'extra/greedy.json'), 'utf8'),
) as Greedy;

describe.each(Object.entries(cases))('generate on %s', (name, { prompts, greedy, penalised }) => {
  // Where transformers' lead over the second choice became too small the fixture ends early.
  const cut = (rows: number[][], like: number[][]) => rows.map((row, i) => row.slice(0, like[i]!.length));

  it('gives the greedy tokens of transformers, one by one and side by side', async () => {
    const model = await CausalLM.fromPretrained(join(fixtures, name));
    const options = { maxNewTokens: newTokens, stopTokenIds: [] };
    const alone = await Promise.all(prompts.map(async (prompt) => model.generate(prompt, options).collect()));
    expect(cut(alone, greedy)).toEqual(greedy);
    expect(cut(await model.generateBatch(prompts, options).collect(), greedy)).toEqual(greedy);
    const repeated = await model.generateBatch(prompts, { ...options, repetitionPenalty: penalty }).collect();
    expect(cut(repeated, penalised)).toEqual(penalised);
    model.dispose();
  });
});

describe('generateBatch', () => {
  const prompts = [[3, 4, 5], [9, 8, 7, 6, 5, 4, 3], [11]];
  const open = () => CausalLM.fromPretrained(join(fixtures, 'models/mistral'));

  it('samples every row as it would be alone', async () => {
    const model = await open();
    const options = { maxNewTokens: 12, temperature: 0.9, topK: 40, topP: 0.95, stopTokenIds: [] };
    const batch = await model.generateBatch(prompts, { ...options, seed: 5 }).collect();
    for (const [row, prompt] of prompts.entries())
      expect(batch[row]).toEqual(await model.generate(prompt, { ...options, seed: 5 + row }).collect());
    model.dispose();
  });

  it.each(['float32', 'bfloat16'] as const)(
    'gives the tokens of each row alone in %s, of more rows and tokens than go through the model together',
    async (dtype) => {
      const model = await CausalLM.fromPretrained(join(fixtures, 'models/mistral'), { dtype });
      const many = Array.from({ length: 40 }, (_, row) =>
        Array.from({ length: 1 + ((row * 7) % 45) }, (_, i) => 3 + ((row * 31 + i * 17) % 50)),
      );
      const options = { maxNewTokens: 16, stopTokenIds: [] };
      const together = await model.generateBatch(many, options).collect();
      for (const [row, prompt] of many.entries())
        expect(together[row]).toEqual(await model.generate(prompt, options).collect());
      model.dispose();
    },
  );

  // Prompts on both sides of what products of few rows take (32), windows of 8, a switch of frequencies, experts.
  it.each([
    'models/llama',
    'models/gemma2',
    'models/gemma3',
    'extra/models/mistral-window',
    'extra/models/qwen2-window',
    'extra/models/smollm3-window',
    'extra/models/llama-dynamic',
    'extra/models/phi3-longrope',
    'extra/models/mixtral-window',
  ])(
    'takes prompts of 1 to 1,100 tokens together on %s, and each goes on as it would alone',
    async (name) => {
      for (const dtype of ['float32', 'bfloat16'] as const) {
        const model = await CausalLM.fromPretrained(join(fixtures, name), { dtype });
        const long = [1, 31, 32, 33, 500, 90, 34, 500, 33, 1100, 40].map((length, row) =>
          Array.from({ length }, (_, i) => 3 + ((row * 31 + i * 17) % 50)),
        );
        for (const sampling of [{}, { temperature: 1, seed: 3 }]) {
          const options = { maxNewTokens: 6, stopTokenIds: [], ...sampling };
          const together = await model.generateBatch(long, options).collect();
          for (const [row, prompt] of long.entries()) {
            const own = 'seed' in options ? { ...options, seed: 3 + row } : options;
            expect(together[row], `${dtype} row ${row}`).toEqual(await model.generate(prompt, own).collect());
          }
        }
        model.dispose();
      }
    },
  );

  it('ends each row at its own stop token and goes on with the others', async () => {
    const model = await open();
    const free = await model.generateBatch(prompts, { maxNewTokens: 8, stopTokenIds: [] }).collect();
    const stop = free[1]![2]!;
    const stopped = await model.generateBatch(prompts, { maxNewTokens: 8, stopTokenIds: [stop] }).collect();
    for (const [row, ids] of free.entries()) {
      const at = ids.indexOf(stop);
      expect(stopped[row]).toEqual(at < 0 ? ids : ids.slice(0, at + 1));
    }
    const steps: number[][] = [];
    for await (const step of model.generateBatch(prompts, { maxNewTokens: 8, stopTokenIds: [stop] }))
      steps.push(step);
    expect(steps.every((step) => step.length === prompts.length)).toBe(true);
    expect(steps.at(-1)![1]).toBe(-1);
    model.dispose();
  });

  it.each([
    [[], {}, /prompts/],
    [[[1], []], {}, /prompts\[1\]/],
    [[[1]], { repetitionPenalty: 0 }, /repetitionPenalty/],
    [[[1]], { maxNewTokens: 0 }, /maxNewTokens/],
  ])('refuses %j with %j', async (rows, options, message) => {
    const model = await open();
    expect(() => model.generateBatch(rows, { maxNewTokens: 1, ...options }).collect()).toThrow(message);
    model.dispose();
  });
});
