import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { readModelConfig } from '../../model/architecture/read-model-config.js';
import { CausalLM } from '../../model/causal-lm.js';
import { engineTypes } from '../../trainer/step/engine-types.js';
import type { TrainingPlan } from './training-plan.js';

/** How much of a model is made to be measured. */
export interface TrialSize {
  layers: number;
  /** Of a micro-batch. */
  tokens: number;
  vocabSize: number;
}

/** Some layers of the model with new weights: trained as the whole would be. The caller disposes of it. */
export async function openTrial(
  config: ParsedConfig,
  plan: TrainingPlan,
  size: TrialSize,
): Promise<CausalLM> {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-trainer-estimate-'));
  try {
    await writeFile(join(dir, 'config.json'), JSON.stringify(await shortened(plan, size)));
    const { adapter, quantization, precision } = plan;
    const isFrozen = adapter !== undefined;
    const dtype = precision === 'fp32' || !isFrozen ? 'float32' : engineTypes(precision).computeType;
    const options = { device: config.trainingConfig.device, ignoreDropout: true, dtype } as const;
    let model = await CausalLM.fromConfig(dir, options);
    if (quantization !== undefined) {
      // Only weights that are read from files are kept in fewer bits.
      await model.savePretrained(dir, { dtype: 'bfloat16' });
      model.dispose();
      model = await CausalLM.fromPretrained(dir, { ...options, quantization });
    }
    // Wherever the adapter's own modules are: these layers may have none of them.
    const { r, useDora } = adapter ?? {};
    if (isFrozen) await model.addAdapter({ r, useDora, targetModules: 'all-linear' });
    return model;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** config.json with fewer layers, of the kind that most are of where they are few. */
async function shortened(
  { modelDir }: TrainingPlan,
  { layers: count, vocabSize }: TrialSize,
): Promise<Record<string, unknown>> {
  const { config: stored, decoder } = await readModelConfig(modelDir, { ignoreDropout: true });
  const { layers } = decoder;
  const isRouted = layers.filter(({ routed = false }) => routed).length > layers.length / 2;
  const isWhole = count === layers.length;
  const entries = Object.entries(stored).map(([key, value]) => {
    if (/^(num_hidden_layers|n_layer)$/.test(key)) return [key, count];
    if (key === 'vocab_size') return [key, vocabSize];
    if (/^(pad|bos|eos)_token_id$/.test(key)) return [key, null];
    if (key === 'quantization_config') return [key, undefined];
    if (isWhole) return [key, value];
    // Which layers are experts.
    if (key === 'mlp_only_layers') return [key, isRouted ? [] : Array.from({ length: count }, (_, at) => at)];
    if (key === 'decoder_sparse_step') return [key, 1];
    return [key, Array.isArray(value) && value.length === layers.length ? value.slice(0, count) : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}
