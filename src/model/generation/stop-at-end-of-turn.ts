import { endOfTurn } from '../../tokenizer/encode/end-of-turn.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { CausalLM } from '../causal-lm.js';

/**
 * Sees to it that a model stops where its chat template ends an answer: the token of that joins `model.eosTokenIds`, and
 * with them generation_config.json of what is saved. Base models often end texts with another one.
 *
 * @param onWarning told when a token was added, and when answers end in no special token at all
 */
export function stopAtEndOfTurn(
  model: CausalLM,
  tokenizer: Tokenizer,
  onWarning: (message: string) => void,
): void {
  if (tokenizer.chatTemplate === null) return;
  const end = endOfTurn(tokenizer);
  if (end === null) {
    onWarning(
      `The chat template of ${tokenizer.dir} ends answers with no special token that is trained, so the model learns no ` +
        `place to stop: what it generates runs on to maxNewTokens. Set chatTemplate to one that closes each turn ` +
        `(chatml, …) to mend that.`,
    );
  } else if (end !== undefined && !model.eosTokenIds.includes(end.id)) {
    const known = model.eosTokenIds.map((id) => tokenizer.decode([id], { skipSpecialTokens: false }));
    model.addEosTokenId(end.id);
    onWarning(
      `The chat template of ${tokenizer.dir} ends answers with ${end.token} (${end.id}), but the model stopped only at ` +
        `${known.join(', ') || 'no token'}: ${end.token} is now among the eos_token_id of its generation_config.json.`,
    );
  }
}
