import { describe, expect, it } from 'vitest';
import type { LearningStyle } from '../../src/events/learning-style.js';
import { suggestStyle, type Facts } from '../../src/inspect/suggest-style.js';

const nothing = { rows: 0, share: 0, examples: [] };
const shares = (...list: number[]) =>
  [1, 2, 4, 8, 16, 32].map((k, at) => ({ k, share: list[at] ?? list.at(-1)! }));
const facts = (given: Partial<Facts> = {}): Facts => ({
  ...{
    name: 'a',
    style: 'ideas' as LearningStyle,
    trainRows: 1000,
    evalRows: 50,
    judgedRows: 200,
    judgedTokens: 4000,
  },
  ...{
    nll: 2.5,
    perplexity: Math.exp(2.5),
    inTop: shares(0.4, 0.5, 0.6, 0.7, 0.8, 0.85),
    answerTokens: 20,
    answers: 195,
  },
  ...{ plainRows: 0, known: nothing, noise: nothing, contradicted: nothing },
  ...given,
});
const loss = { loss: 'adaptive', topK: 8 } as const;

describe('suggestStyle', () => {
  it('suggests attention for facts to know word by word', () => {
    const found = suggestStyle(facts(), loss);
    expect(found).toMatchObject({ style: 'attention', loss: 'adaptive', topK: null, isConfigured: false });
    expect(found.reasons[0]).toContain('57.7 %');
    expect(suggestStyle(facts({ style: 'attention' }), loss).isConfigured).toBe(true);
  });

  it("suggests loss 'ce' for few and short answers, or topK 1", () => {
    const found = suggestStyle(
      facts({ answers: 12, answerTokens: 2, inTop: shares(0.3, 0.5, 0.7, 0.9) }),
      loss,
    );
    expect(found).toMatchObject({ style: 'ideas', topK: 1, loss: 'ce', isConfigured: false });
    expect(found.reasons.join(' ')).toContain('60 % of the tokens are among the first 8');
    expect(found.reasons.join(' ')).toContain('not what serves');
    expect(suggestStyle(facts({ answers: 12, answerTokens: 2 }), { loss: 'ce', topK: 8 }).isConfigured).toBe(
      true,
    );
    // Of a few rows nothing is known.
    expect(suggestStyle(facts({ answers: 2, answerTokens: 2, judgedRows: 10 }), loss).loss).toBe('adaptive');
  });

  it('says that what is known already need not be learned', () => {
    const found = suggestStyle(facts({ inTop: shares(0.97, 0.99), nll: 0.08 }), loss);
    expect(found).toMatchObject({ style: 'misc', topK: null });
    expect(found.reasons[0]).toContain('97 %');
  });

  it('says that wrong labels are not for the adaptive loss', () => {
    const noise = { rows: 60, share: 0.3, examples: [] };
    expect(suggestStyle(facts({ noise }), loss).loss).toBe('ce');
    expect(suggestStyle(facts({ contradicted: noise }), loss).reasons[0]).toContain('another answer');
  });

  it('suggests ideas for free answers, with a topK that leaves something to train', () => {
    const long = { answerTokens: 300 };
    expect(suggestStyle(facts(long), loss)).toMatchObject({ style: 'ideas', topK: 8, isConfigured: true });
    const near = facts({ ...long, inTop: shares(0.7, 0.8, 0.92, 0.97, 0.99) });
    expect(suggestStyle(near, loss)).toMatchObject({ style: 'ideas', topK: 2, isConfigured: false });
    expect(suggestStyle(near, loss).reasons.join(' ')).toContain('97 % of the tokens are among the first 8');
    expect(suggestStyle(facts(long), { loss: 'adaptive', topK: 2 }).topK).toBe(2);
  });

  it('takes text without prompts for what it is', () => {
    const found = suggestStyle(facts({ plainRows: 200, answerTokens: 500 }), loss);
    expect(found).toMatchObject({ loss: 'ce', style: 'misc' });
  });
});
