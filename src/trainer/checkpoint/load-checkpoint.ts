import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OptimizerCounts } from '../../engine/addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { readSafetensorsHeader } from '../../model/files/safetensors-header.js';
import type { RunState } from './run-state.js';

/** The state of a run in a verified checkpoint, without weights and optimizer. */
export async function readRunState(path: string): Promise<RunState> {
  return JSON.parse(await readFile(join(path, 'run_state.json'), 'utf8')) as RunState;
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
