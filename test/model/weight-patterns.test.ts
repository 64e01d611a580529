import { describe, expect, it } from 'vitest';
import { matchWeights, weightNames } from '../../src/model/weight-patterns.js';
import { errorOf } from '../helpers/error-of.js';

const layer = (i: number) => [
  `model.layers.${i}.input_layernorm.weight`,
  `model.layers.${i}.self_attn.q_proj.weight`,
  `model.layers.${i}.self_attn.q_proj.bias`,
  `model.layers.${i}.mlp.up_proj.weight`,
];
const names = [
  'model.embed_tokens.weight',
  ...Array.from({ length: 13 }, (_, i) => layer(i)).flat(),
  'model.norm.weight',
  'lm_head.weight',
];
const weights = weightNames(
  names.map((name) => ({ name })),
  false,
);
const fits = (pattern: string) => matchWeights([pattern], weights, 'freeze')[0]!;

describe('patterns of weights', () => {
  it.each<[string, string[]]>([
    ['model.embed_tokens', ['model.embed_tokens.weight']],
    ['model.embed_tokens.weight', ['model.embed_tokens.weight']],
    ['lm_head', ['lm_head.weight']],
    ['model.layers.1', layer(1)],
    // As in names of files: layer 10 to 12 do not fit.
    ['model.layers.[0-1].*', [...layer(0), ...layer(1)]],
    ['model.layers.[0-1]', [...layer(0), ...layer(1)]],
    ['model.layers.{0..1}', [...layer(0), ...layer(1)]],
    ['model.layers.{9..11}.mlp', [9, 10, 11].map((i) => layer(i)[3]!)],
    ['model.layers.?.self_attn.q_proj.bias', Array.from({ length: 10 }, (_, i) => layer(i)[2]!)],
    ['*.{input_layernorm,norm}.weight', names.filter((name) => name.includes('norm'))],
    ['*embed*', ['model.embed_tokens.weight']],
    ['*', names],
    ['model.layers.[!0-9]*', Array.from({ length: 0 }, () => '')],
    // Regular expressions.
    [String.raw`model\.layers\.1[0-2]\..*`, [...layer(10), ...layer(11), ...layer(12)]],
    ['model.layers.(0|12)', [...layer(0), ...layer(12)]],
    ['^lm_head.weight$', ['lm_head.weight']],
    ['.*embed.*', ['model.embed_tokens.weight']],
    ['model.layers.1.+norm', [layer(1)[0]!, ...[10, 11, 12].map((i) => layer(i)[0]!)]],
  ])('%s', (pattern, expected) => {
    if (expected.length === 0) expect(() => fits(pattern)).toThrow(/fits none/);
    else expect([...fits(pattern)].sort()).toEqual([...expected].sort());
  });

  it.each([
    ['embed_tokens', '*.embed_tokens'],
    ['model.embed_token', 'model.embed_tokens'],
    ['model.layer.0.mlp', 'model.layers.0.mlp'],
    ['lmhead', 'lm_head'],
    ['[', undefined],
    ['', undefined],
  ])('%j, which fits none, is an error that says what may have been meant', async (pattern, suggestion) => {
    const error = await errorOf(async () => fits(pattern));
    expect(error.code).toBe('CONFIG_INVALID');
    const { faults } = error.details as { faults: { path: string; suggestion?: string }[] };
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ path: 'freeze' });
    expect(faults[0]!.suggestion).toBe(suggestion);
  });

  it.each([
    'model.layers.2?',
    'model.layers.7*.mlp',
    'model.layers.[!0-9]*',
    'model.layers.5*x',
    'model.layers.99*',
  ])('%s is not read as an expression that fits other weights', (pattern) => {
    const small = weightNames(
      [...names.filter((name) => !/\.([2-9]|1\d)\./.test(name))].map((name) => ({ name })),
      false,
    );
    expect(() => matchWeights([pattern], small, 'freeze')).toThrow(/fits none/);
  });

  it('lists every one that fits none', async () => {
    const error = await errorOf(async () => matchWeights(['a.b', 'lm_head', 'c'], weights, 'freeze'));
    expect((error.details as { faults: unknown[] }).faults).toHaveLength(2);
    expect(error.message).toMatch(/"a\.b"[^]*"c"/);
  });

  it('a tied head is the embedding', () => {
    const tied = weightNames([{ name: 'transformer.wte.weight' }, { name: 'transformer.ln_f.weight' }], true);
    expect(matchWeights(['lm_head'], tied, 'freeze')).toEqual([['transformer.wte.weight']]);
    expect(matchWeights(['*'], tied, 'freeze')).toEqual([tied.names]);
  });
});
