import { AdaptiveTrainerError } from '../errors.js';
import type { ChosenRow } from '../trainer/inspection/chosen-rows.js';
import type { ModelToJudge } from './open-for-judging.js';

const lookedAt = 20;

/**
 * Two models are compared token by token, on the same tokens.
 * @throws AdaptiveTrainerError INVALID_INPUT where the other's tokenizer cuts the rows otherwise
 */
export function refuseOtherTokens(own: ModelToJudge, other: ModelToJudge, rows: readonly ChosenRow[]): void {
  for (const { content } of rows.slice(0, lookedAt)) {
    const text = own.tokenizer.decode(content.inputIds, { skipSpecialTokens: false });
    const [ids, others] = [own.tokenizer.encode(text), other.tokenizer.encode(text)];
    if (ids.length === others.length && ids.every((id, at) => id === others[at])) continue;
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected two models with the same tokens, but the tokenizer of ${other.name} cuts rows otherwise than that of ${own.name}, so that their ` +
        'numbers per token are of different things. Evaluate each by itself.',
      { details: { argument: 'against', found: other.name } },
    );
  }
}
