import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { Json } from './families.js';

/** Models that take more than text, and the text models in them that are opened in their place. */
const insides: Readonly<Record<string, { modelType: string; architecture: string }>> = {
  gemma3: { modelType: 'gemma3_text', architecture: 'Gemma3ForCausalLM' },
};

/** Keys of the whole model that are not the text model's. */
const dropped = ['text_config', 'vision_config', 'audio_config', 'model_type', 'architectures'];

/** Whether a config.json is that of a model that takes more than text, whose text model can be opened. */
export function holdsTextModel(config: Json): boolean {
  return typeof config['model_type'] === 'string' && Object.hasOwn(insides, config['model_type']);
}

/**
 * The configuration of the text model, as transformers saves it on its own; that of a model that takes text alone stays as
 * it is.
 * @throws AdaptiveTrainerError MODEL_CONFIG_INVALID for a text_config that is no configuration
 */
export function textConfig(config: Json, path: string): Json {
  if (!holdsTextModel(config)) return config;
  const { modelType, architecture } = insides[String(config['model_type'])]!;
  const text = config['text_config'];
  if (!isPlainObject(text)) {
    const message = `Expected an object for text_config in ${path}, found ${describeValue(text)}.`;
    throw new AdaptiveTrainerError('MODEL_CONFIG_INVALID', message, {
      details: { path, faults: [message] },
    });
  }
  const rest = Object.fromEntries(Object.entries(config).filter(([key]) => !dropped.includes(key)));
  return {
    ...rest,
    ...text,
    model_type: modelType,
    architectures: [architecture],
    // Ties and ends of texts are the whole model's to say.
    tie_word_embeddings: 'tie_word_embeddings' in config ? config['tie_word_embeddings'] : true,
    ...('eos_token_id' in config ? { eos_token_id: config['eos_token_id'] } : {}),
    // transformers reads it of the whole model and never applies it.
    ...(typeof text['final_logit_softcapping'] === 'number' ? { final_logit_softcapping: null } : {}),
  };
}
