import type { TrainingConfig } from '../config/schema/parsed-config.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';

/** The type that the final model is stored in. `auto` is what the base model's config.json says, or float32. */
export function finalDtype(
  model: CausalLM,
  saveDtype: TrainingConfig['saveDtype'],
): NonNullable<SaveOptions['dtype']> {
  if (saveDtype !== 'auto') return saveDtype;
  // PEFT keeps adapters in float32 whatever their base is in.
  if (model.adapter !== undefined) return 'float32';
  // Before transformers 4.56 the key was torch_dtype.
  const own = model.config['dtype'] ?? model.config['torch_dtype'];
  return own === 'bfloat16' || own === 'float16' ? own : 'float32';
}
