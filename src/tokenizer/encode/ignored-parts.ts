import { isPlainObject } from '../../common/is-plain-object.js';

/**
 * Parts of a tokenizer.json that Python runs and the library passes over in silence, in words. What it does not know at
 * all it refuses itself.
 */
export function ignoredParts(tokenizer: Record<string, unknown>): string[] {
  const found: string[] = [];
  const model = tokenizer['model'];
  if (isPlainObject(model)) {
    if (model['type'] === 'WordLevel') found.push('model.type "WordLevel"');
    const prefix = model['continuing_subword_prefix'];
    if (model['type'] === 'BPE' && typeof prefix === 'string' && prefix !== '') {
      found.push(`model.continuing_subword_prefix "${prefix}"`);
    }
  }
  const added = tokenizer['added_tokens'];
  const single = Array.isArray(added)
    ? added.find((token) => isPlainObject(token) && token['single_word'] === true)
    : undefined;
  if (isPlainObject(single)) found.push(`single_word of the added token "${String(single['content'])}"`);
  const visit = (part: unknown, path: string) => {
    if (!isPlainObject(part)) return;
    if (part['type'] === 'Split' && part['invert'] === true && part['behavior'] !== 'Removed') {
      found.push(`${path}.invert with the behavior "${String(part['behavior'])}"`);
    }
    const inner = part['pretokenizers'];
    if (Array.isArray(inner)) inner.forEach((one, index) => visit(one, `${path}.pretokenizers[${index}]`));
  };
  visit(tokenizer['pre_tokenizer'], 'pre_tokenizer');
  return found;
}
