import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { readModelConfig } from '../../model/architecture/read-model-config.js';
import { CausalLM } from '../../model/causal-lm.js';
import { engineTypes } from '../../trainer/step/engine-types.js';
import { runPrecision } from '../../trainer/step/run-precision.js';
import type { TrainingPlan } from './training-plan.js';

const smallVocabulary = 2048;

/** One layer of the model with new weights, behind a small vocabulary: trained as the whole would be. The caller disposes of it. */
export async function openTrial(config: ParsedConfig, plan: TrainingPlan): Promise<CausalLM> {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-trainer-estimate-'));
  try {
    await writeFile(join(dir, 'config.json'), JSON.stringify(await oneLayer(plan)));
    const precision = runPrecision(config.trainingConfig);
    const { adapter, quantization } = plan;
    const isFrozen = adapter !== undefined;
    const dtype = precision === 'fp32' || !isFrozen ? 'float32' : engineTypes(precision).computeType;
    const options = { ignoreDropout: true, dtype } as const;
    let model = await CausalLM.fromConfig(dir, options);
    if (quantization !== undefined) {
      // Only weights that are read from files are kept in fewer bits.
      await model.savePretrained(dir, { dtype: 'bfloat16' });
      model.dispose();
      model = await CausalLM.fromPretrained(dir, { ...options, quantization });
    }
    // Wherever the adapter's own modules are: its one layer may have none of them.
    const { r, useDora } = adapter ?? {};
    if (isFrozen) await model.addAdapter({ r, useDora, targetModules: 'all-linear' });
    return model;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** config.json with one layer of the kind that most are of. */
async function oneLayer({ modelDir }: TrainingPlan): Promise<Record<string, unknown>> {
  const { config: stored, decoder } = await readModelConfig(modelDir, { ignoreDropout: true });
  const { layers } = decoder;
  const isRouted = layers.filter(({ routed = false }) => routed).length > layers.length / 2;
  const shortened = Object.entries(stored).map(([key, value]) => {
    if (/^(num_hidden_layers|n_layer)$/.test(key)) return [key, 1];
    if (key === 'vocab_size') return [key, Math.min(smallVocabulary, decoder.vocabSize)];
    if (/^(pad|bos|eos)_token_id$/.test(key)) return [key, null];
    // Which layers are experts.
    if (key === 'mlp_only_layers') return [key, isRouted ? [] : [0]];
    if (key === 'decoder_sparse_step') return [key, 1];
    if (key === 'quantization_config') return [key, undefined];
    return [key, Array.isArray(value) && value.length === layers.length ? value.slice(0, 1) : value];
  });
  return Object.fromEntries(shortened) as Record<string, unknown>;
}
