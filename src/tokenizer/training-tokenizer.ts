import type { HubSettings } from '../common/hub-settings.js';
import { applyChatTemplate } from './template/apply-chat-template.js';
import { Tokenizer } from './tokenizer.js';

/**
 * The tokenizer of a model as it is trained with: with a chat template (see `applyChatTemplate`) and a padding token (see
 * `Tokenizer.ensurePadToken`), which `fitVocabulary` makes room for in the model.
 *
 * @param chatTemplate name of a built-in template or Jinja text; null: none is asked for
 * @throws AdaptiveTrainerError see `Tokenizer.fromPretrained` and `applyChatTemplate`
 */
export async function trainingTokenizer(
  dirOrHubId: string,
  chatTemplate: string | null,
  onWarning: (message: string) => void,
  hub: Partial<HubSettings> = {},
): Promise<Tokenizer> {
  const tokenizer = await Tokenizer.fromPretrained(dirOrHubId, { hub });
  applyChatTemplate(tokenizer, chatTemplate, onWarning);
  tokenizer.ensurePadToken();
  return tokenizer;
}
