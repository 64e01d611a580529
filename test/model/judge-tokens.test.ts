import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { JudgedRow, JudgeOptions, RowToJudge } from '../../src/model/judge-tokens.js';
import { errorOf } from '../helpers/error-of.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers } from '../helpers/read-safetensors.js';
import { readReference } from '../helpers/reference-model.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { adapters, expectedOf } from '../lora/adapter-fixtures.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
const folders = ['models', 'extra/models'].flatMap((group) =>
  readdirSync(join(fixtures, group)).map((name) => ({ name, dir: join(fixtures, group, name) })),
);

async function judged(
  model: CausalLM,
  rows: readonly RowToJudge[],
  options?: JudgeOptions,
): Promise<JudgedRow[]> {
  const found: JudgedRow[] = [];
  for await (const row of model.judgeTokens(rows, options)) found.push(row);
  return found;
}

/** What logits [tokens, vocab] say of the tokens of rows that follow one another, in float64. */
function fromLogits(logits: ArrayLike<number>, rows: readonly ArrayLike<number>[], choices: number) {
  const tokens = rows.reduce((sum, { length }) => sum + length, 0);
  const vocab = logits.length / tokens;
  let begin = 0;
  return rows.map((row) => {
    const expected = Array.from({ length: row.length - 1 }, (_, t) => {
      const z = Array.from({ length: vocab }, (_unused, id) => logits[(begin + t) * vocab + id] as number);
      const max = Math.max(...z);
      const sum = max + Math.log(z.reduce((total, value) => total + Math.exp(value - max), 0));
      const order = z.map((_unused, id) => id).sort((a, b) => z[b]! - z[a]! || a - b);
      const label = z[row[t + 1] as number]!;
      return {
        nll: sum - label,
        rank: 1 + z.filter((value) => value > label).length,
        ids: order.slice(0, choices),
        probabilities: order.slice(0, choices).map((id) => Math.exp(z[id]! - sum)),
      };
    });
    begin += row.length;
    return expected;
  });
}

function expectJudgements(found: readonly JudgedRow[], expected: ReturnType<typeof fromLogits>): void {
  expect(found.length).toBe(expected.length);
  found.forEach((row, index) => {
    const tokens = expected[index]!;
    const nll = tokens.map((token) => token.nll);
    expect([...row.positions]).toEqual(tokens.map((_, t) => t + 1));
    expect(largestDifference(row.nll, nll)).toBeLessThan(2e-5);
    expect(
      largestDifference(
        row.probability,
        nll.map((value) => Math.exp(-value)),
      ),
    ).toBeLessThan(2e-5);
    expect([...row.rank]).toEqual(tokens.map(({ rank }) => rank));
    expect([...row.predicted]).toEqual(tokens.map(({ ids }) => ids[0]));
    expect([...row.choiceIds]).toEqual(tokens.flatMap(({ ids }) => ids));
    const probabilities = tokens.flatMap((token) => token.probabilities);
    expect(largestDifference(row.choiceProbability, probabilities)).toBeLessThan(2e-5);
  });
}

describe.each(folders)('judgeTokens on $name', ({ dir }) => {
  it('gives what the logits of transformers say, in batches of any size', async () => {
    const { arrays, rows } = readReference(dir);
    const model = await CausalLM.fromPretrained(dir);
    const expected = fromLogits(numbers(arrays['logits']!), rows, 5);
    expectJudgements(
      await judged(
        model,
        rows.map((inputIds) => ({ inputIds })),
      ),
      expected,
    );
    const oneByOne = await judged(
      model,
      rows.map((inputIds) => ({ inputIds })),
      { batchTokens: 1 },
    );
    expectJudgements(oneByOne, expected);
    model.dispose();
  });
});

describe.each(adapters)('judgeTokens with the PEFT adapter $name', ({ dir }) => {
  it('judges with the adapter, and without it as the base does', async () => {
    const { arrays, base, rows } = expectedOf(dir);
    const model = await CausalLM.fromPretrained(dir);
    const toJudge = rows.map((inputIds) => ({ inputIds }));
    expectJudgements(await judged(model, toJudge), fromLogits(numbers(arrays['logits']!), rows, 5));
    const { modulesToSave, bias } = model.adapter!.config;
    if ((modulesToSave ?? []).length > 0 || bias !== 'none') {
      const refused = await errorOf(() => judged(model, toJudge, { withoutAdapter: true }));
      expect(refused.code).toBe('INVALID_INPUT');
    } else {
      const plain = await CausalLM.fromPretrained(base);
      const expected = fromLogits((await plain.logits(rows)).data, rows, 5);
      expectJudgements(await judged(model, toJudge, { withoutAdapter: true }), expected);
      plain.dispose();
    }
    model.dispose();
  });
});

describe('judgeTokens', () => {
  const dir = writeTinyModel(tempDir());

  it('judges the labelled tokens alone, against their labels', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const inputIds = [3, 9, 12, 40, 7];
    const [whole] = await judged(model, [{ inputIds }]);
    const [some, none] = await judged(model, [
      { inputIds, labels: [3, -100, 12, -100, 7] },
      { inputIds, labels: inputIds.map(() => -100) },
    ]);
    expect([...some!.positions]).toEqual([2, 4]);
    expect(largestDifference(some!.nll, [whole!.nll[1]!, whole!.nll[3]!])).toBeLessThan(1e-5);
    expect(none!.positions.length).toBe(0);
    const [other] = await judged(model, [{ inputIds, labels: [-100, -100, 13, -100, -100] }]);
    expect(other!.nll[0]).not.toBe(whole!.nll[1]);
    model.dispose();
  });

  it('gives as many choices as the vocabulary has, whose probabilities add up to 1', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const [row] = await judged(model, [{ inputIds: [3, 9] }], { choices: 1000 });
    expect(row!.choices).toBe(67);
    expect(new Set(row!.choiceIds).size).toBe(67);
    expect(row!.choiceProbability.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    const [plain] = await judged(model, [{ inputIds: [3, 9] }], { choices: 0 });
    expect(plain!.choiceIds.length).toBe(0);
    model.dispose();
  });

  it('refuses what it cannot judge', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const codeOf = async (rows: RowToJudge[], options?: JudgeOptions) =>
      (await errorOf(() => judged(model, rows, options))).code;
    expect(await codeOf([{ inputIds: [] }])).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 67] }])).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 4], labels: [3] }])).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 4], labels: [3, 99] }])).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 4] }], { choices: -1 })).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 4] }], { batchTokens: 0.5 })).toBe('INVALID_INPUT');
    expect(await codeOf([{ inputIds: [3, 4] }], { withoutAdapter: true })).toBe('INVALID_INPUT');
    expect(await judged(model, [])).toEqual([]);
    model.dispose();
  });
});
