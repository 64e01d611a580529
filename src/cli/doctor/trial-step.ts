import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../../common/error-text.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { CausalLM } from '../../model/causal-lm.js';
import { AdaptiveTrainer } from '../../trainer/adaptive-trainer.js';

/** How a step of training went. */
export type TrialOutcome =
  | { ok: true; loss: number; cpuCapability: string; bfloat16: boolean }
  | { ok: false; code: string; message: string; fix?: string };

const config = {
  ...{ model_type: 'llama', vocab_size: 64, hidden_size: 32, intermediate_size: 64 },
  ...{ num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 2, rms_norm_eps: 1e-6 },
  ...{ max_position_embeddings: 64, rope_theta: 10_000, tie_word_embeddings: true },
};

/** Trains a tiny model for one step. Writes nothing but its config.json, in the folder for temporary files. */
export async function trialStep(): Promise<TrialOutcome> {
  let dir: string | undefined;
  try {
    dir = await mkdtemp(join(tmpdir(), 'adaptive-trainer-doctor-'));
    await writeFile(join(dir, 'config.json'), JSON.stringify(config));
    const model = await CausalLM.fromConfig(dir);
    const inputIds = Array.from({ length: 16 }, (_, i) => (i * 7) % 64);
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: [{ inputIds, labels: inputIds, learningStyle: 'both' }],
      args: { maxSteps: 1, batchSize: 1, gradientAccumulationSteps: 1, warmupSteps: 0 },
    });
    const { loss } = await trainer.train();
    model.dispose();
    const { cpuCapability, bfloat16Instructions: bfloat16 } = loadAddon();
    return { ok: true, loss, cpuCapability, bfloat16 };
  } catch (error) {
    const isOurs = AdaptiveTrainerError.isInstance(error);
    const { fix, fixes } = (isOurs ? error.details : {}) as { fix?: string; fixes?: readonly string[] };
    const mend = fix ?? fixes?.join('; ');
    return {
      ...{ ok: false, code: isOurs ? error.code : 'Error', message: errorText(error) },
      ...(mend === undefined ? {} : { fix: mend }),
    };
  } finally {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  }
}
