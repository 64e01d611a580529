import { suggest } from '../../common/suggest.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { isTemplatePath } from './template-source.js';
import { builtInTemplates } from './built-in-templates.js';
import type { Tokenizer } from '../tokenizer.js';

type Name = keyof typeof builtInTemplates;
const names = Object.keys(builtInTemplates) as Name[];

// Which built-in templates a model of this type may have been made for; its vocabulary decides.
const byModelType: Record<string, readonly Name[]> = {
  llama: ['llama', 'smollm'], // SmolLM and SmolLM2 call themselves llama
  phi: ['phi'],
  phi3: ['phi'],
  qwen2: ['qwen'],
  qwen3: ['qwen'],
  smollm3: ['smollm'],
};

/**
 * Gives a tokenizer the chat template it is to be used with: the one that is asked for, else its own, else a built-in
 * one for its model's type, if its vocabulary has the markers of that.
 *
 * @param chosen name of a built-in template, Jinja text or the path of a file with it; null: none is asked for
 * @param onWarning told when a template was inferred, or one was chosen that the vocabulary was not made for
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` for an unknown name, and when there is none to be found
 */
export function applyChatTemplate(
  tokenizer: Tokenizer,
  chosen: string | null,
  onWarning: (message: string) => void,
): void {
  if (chosen === null && tokenizer.chatTemplate !== null) return;
  if (chosen !== null && (/[{\n]/.test(chosen) || isTemplatePath(chosen))) {
    tokenizer.chatTemplate = chosen;
    return;
  }
  const name = chosen === null ? infer(tokenizer) : named(chosen);
  const { source, markers } = builtInTemplates[name];
  tokenizer.chatTemplate = source;
  const lacking = markers.filter((marker) => tokenizer.tokenToId(marker) === undefined);
  if (chosen === null) {
    onWarning(
      `The model in ${tokenizer.dir} has no chat template; the built-in one "${name}" is used and saved with it. ` +
        `Set chatTemplate to use another.`,
    );
  } else if (lacking.length > 0) {
    onWarning(
      `The vocabulary of ${tokenizer.dir} has no token ${lacking.join(', ')}, so the chat template "${name}" spells it ` +
        `out in several. Training works, but takes more tokens and more data.`,
    );
  }
}

function named(chosen: string): Name {
  const name = chosen.toLowerCase();
  if (name in builtInTemplates) return name as Name;
  const near = suggest(name, names);
  throw new AdaptiveTrainerError(
    'CHAT_TEMPLATE_FAILED',
    `Expected chatTemplate to be Jinja text, the path of a file with it (./chat.jinja) or one of ${names.join(', ')} but received "${chosen}".` +
      (near === undefined ? '' : ` Did you mean "${near}"?`),
    { details: { received: chosen, names } },
  );
}

function infer(tokenizer: Tokenizer): Name {
  const { modelType } = tokenizer;
  const isMadeFor = (name: Name) =>
    builtInTemplates[name].markers.every((marker) => tokenizer.tokenToId(marker) !== undefined);
  const found = [...(byModelType[modelType ?? ''] ?? []), 'chatml' as const].find(isMadeFor);
  if (found !== undefined) return found;
  const type = modelType === undefined ? 'its model type is not known' : `its model type is "${modelType}"`;
  throw new AdaptiveTrainerError(
    'CHAT_TEMPLATE_FAILED',
    `Expected a chat template in ${tokenizer.dir} but found none, and none can be inferred: ${type}, and its vocabulary ` +
      `has the markers of no built-in one. Set chatTemplate to one of ${names.join(', ')} (chatml is a good start for ` +
      `a base model) or to Jinja text, or use the files of the instruct model.`,
    { details: { path: tokenizer.dir, modelType, names } },
  );
}
