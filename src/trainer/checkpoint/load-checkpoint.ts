import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CausalLM } from '../../model/causal-lm.js';
import { readSafetensorsHeader } from '../../model/files/safetensors-header.js';
import { checkFingerprint } from './fingerprint.js';
import type { Fingerprint, RunState } from './run-state.js';

/**
 * Puts model and optimizer back to where a verified checkpoint left them and returns the rest of the run's state.
 * The optimizer must have been created as for the first run.
 *
 * @throws AdaptiveTrainerError CHECKPOINT_MISMATCH before anything is changed
 */
export async function loadCheckpoint(path: string, model: CausalLM, now: Fingerprint): Promise<RunState> {
  const state = JSON.parse(await readFile(join(path, 'run_state.json'), 'utf8')) as RunState;
  checkFingerprint(state.fingerprint, now, path);
  await model.restore(path);
  const optimizer = join(path, 'optimizer.safetensors');
  const { tensors } = await readSafetensorsHeader(optimizer);
  await model.call((native) =>
    native.loadOptimizer({ ...state.optimizer, files: [{ path: optimizer, tensors }] }),
  );
  return state;
}
