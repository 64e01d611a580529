import type { WeightFile } from './find-weights.js';

/** How modules of a text model begin inside one that takes more than text: in transformers 5, and in its checkpoints. */
const inside = 'model.language_model.';
const prefixes: readonly (readonly [RegExp, string])[] = [
  [/^model\.language_model\./, 'model.'],
  [/^language_model\.model\./, 'model.'],
  [/^language_model\.lm_head\./, 'lm_head.'],
];
/** What else there is in one. */
const others = /^(model\.)?(vision_tower|multi_modal_projector)\./;

/** A weight or module by the name that it has in the text model alone. */
export function textName(name: string): string {
  const found = prefixes.find(([prefix]) => prefix.test(name));
  return found === undefined ? name : name.replace(...found);
}

/** The reverse: by the name that transformers gives it in the whole model. */
export function wholeName(name: string): string {
  return name.replace(/^model\./, inside);
}

/** The weights of the text model alone, by the names that they have there. */
export function textWeights(files: readonly WeightFile[]): WeightFile[] {
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors
      .filter(({ name }) => !others.test(name))
      .map((tensor) => ({ ...tensor, name: textName(tensor.name) })),
  }));
}
