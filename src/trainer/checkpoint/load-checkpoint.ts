import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OptimizerCounts } from '../../engine/addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { readSafetensorsHeader } from '../../model/files/safetensors-header.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { parseRunState } from './parse-run-state.js';
import type { RunState } from './run-state.js';

/**
 * The state of a run in a verified checkpoint, without weights and optimizer.
 * @throws AdaptiveTrainerError CHECKPOINT_INVALID
 */
export async function readRunState(path: string): Promise<RunState> {
  if (!existsSync(join(path, 'run_state.json'))) {
    const message = `Expected a checkpoint with the state of a run in ${path}, found the model alone (saveOnlyModel). Begin a new run with that folder as the model, or go on from another checkpoint.`;
    throw new AdaptiveTrainerError('CHECKPOINT_INVALID', message, { details: { path } });
  }
  try {
    return parseRunState(await readFile(join(path, 'run_state.json'), 'utf8'));
  } catch (cause) {
    throw new AdaptiveTrainerError(
      'CHECKPOINT_INVALID',
      `Expected the state of a run in run_state.json of ${path}, found: ${(cause as Error).message}. Go on from another checkpoint.`,
      { details: { path }, cause },
    );
  }
}

/**
 * Puts model and optimizer back to where a verified checkpoint left them. The optimizer must have been created, of the
 * same form as for the first run.
 */
export async function loadCheckpoint(path: string, model: CausalLM, saved: OptimizerCounts): Promise<void> {
  await model.restore(path);
  const optimizer = join(path, 'optimizer.safetensors');
  const { tensors } = await readSafetensorsHeader(optimizer);
  await model.call((native) => native.loadOptimizer({ ...saved, files: [{ path: optimizer, tensors }] }));
}
