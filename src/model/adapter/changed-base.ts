import { dirname } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';

/** Ways to draw an adapter's matrices that leave the base as it is. */
const plain = ['gaussian', 'eva', 'orthogonal', 'mica', ''];
/** Where PEFT can make the changed base again. */
const repeatable = /^(pissa|olora)$/;

/**
 * Some ways to initialise an adapter take its first value out of the base, which PEFT does again when it opens the
 * adapter. On the base as it is, such an adapter would compute something else.
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED with the way to convert it
 */
export function refuseChangedBase(init: unknown, path: string): void {
  if (init == null || typeof init === 'boolean') return;
  const name = String(init).toLowerCase();
  if (typeof init === 'string' && plain.includes(name)) return;
  const dir = dirname(path);
  const changes = /^(pissa|olora|corda|loftq|lora_ga)/.test(name);
  const recipe = repeatable.test(name)
    ? `Merge it in Python: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), ${JSON.stringify(dir)})` +
      '.merge_and_unload().save_pretrained("merged"), and open "merged".'
    : 'Convert it where it was trained: before training model.save_pretrained("initial"), afterwards ' +
      'model.save_pretrained(dir, path_initial_model_for_weight_conversion="initial") (or merge_and_unload() it there).';
  throw new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected an adapter of the base model as it is in ${path}, found init_lora_weights: ${JSON.stringify(init)}` +
      (changes ? `, which trains on a base that it has changed. ${recipe}` : '.'),
    { details: { path, refused: { init_lora_weights: init } } },
  );
}
