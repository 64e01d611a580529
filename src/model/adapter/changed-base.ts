import { AdaptiveTrainerError } from '../../errors.js';

/** Ways to draw an adapter's matrices that leave the base as it is. */
const plain = ['gaussian', 'eva', 'orthogonal', 'mica', '', 'olora'];
/** What was taken out of the base is the adapter as it was first drawn, so that it can be given back. */
const convertible = /^(pissa_niter_\d+|corda|lora_ga)$/;

/**
 * Some ways to initialise an adapter take its first value out of the base, which PEFT does again when it opens the
 * adapter. On the base as it is, such an adapter would compute something else.
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED with the way to convert it
 */
export function refuseChangedBase(init: unknown, path: string): void {
  if (init == null || typeof init === 'boolean') return;
  const name = String(init).toLowerCase();
  // What pissa and olora take out of the base is the same each time.
  if (typeof init === 'string' && (plain.includes(name) || init === 'pissa')) return;
  const changes = /^(pissa|corda|loftq|lora_ga)/.test(name);
  throw new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected an adapter of the base model as it is in ${path}, found init_lora_weights: ${JSON.stringify(init)}` +
      (changes ? `, which trains on a base that it has changed. ${recipeOf(name)}` : '.'),
    { details: { path, refused: { init_lora_weights: init } } },
  );
}

function recipeOf(name: string): string {
  const merge =
    'Merge it in the Python process that trained it: model.merge_and_unload().save_pretrained("merged"), and open "merged".';
  if (!convertible.test(name)) return merge;
  return (
    `${merge} To keep an adapter instead, save it once before training: ` +
    'model.peft_config["default"].init_lora_weights = True; model.save_pretrained("./initial"), and afterwards: ' +
    'model.save_pretrained("converted", path_initial_model_for_weight_conversion="./initial"), and open "converted".'
  );
}
