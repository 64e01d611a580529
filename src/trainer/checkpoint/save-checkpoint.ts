import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { OptimizerCounts } from '../../engine/addon.js';
import { safetensorsHeader } from '../../model/files/safetensors-header.js';
import { ioError, sync, writeDurably } from '../../common/write-durably.js';
import { sealCheckpoint } from './checkpoint-files.js';
import type { RunState } from './run-state.js';

export interface CheckpointContent {
  model: CausalLM;
  /** Writes model and tokenizer into a folder. */
  saveModel: (dir: string) => Promise<void>;
  state: Omit<RunState, 'optimizer'>;
  /** trainer_state.json. */
  trainerState: string;
  /** Whether the state and the optimizer are left out. */
  onlyModel: boolean;
}

/**
 * Writes a checkpoint under a temporary name and renames it once every byte is on disk: a folder of the final name is
 * whole.
 *
 * @throws AdaptiveTrainerError IO_FAILED; nothing is left behind then
 */
export async function saveCheckpoint(path: string, content: CheckpointContent): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdirs(temporary);
    await content.saveModel(temporary);
    if (!content.onlyModel) await saveState(temporary, content);
    await writeDurably(join(temporary, 'trainer_state.json'), (file) =>
      writeFile(file, content.trainerState),
    );
    const { runId, step } = content.state;
    await sealCheckpoint(temporary, { runId, step });
    // The files are synced by now; their names, and then the folder's own, here.
    await sync(temporary);
    await moveInto(temporary, path);
    await sync(dirname(path));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw ioError(path, cause);
  }
}

async function saveState(folder: string, { model, state }: CheckpointContent): Promise<void> {
  const optimizer = await saveOptimizer(model, join(folder, 'optimizer.safetensors'));
  const stateJson = `${JSON.stringify({ ...state, optimizer })}\n`;
  await writeDurably(join(folder, 'run_state.json'), (file) => writeFile(file, stateJson));
}

/** Puts a folder in the place of another, which is deleted only when the new one is there. */
async function moveInto(from: string, to: string): Promise<void> {
  const old = `${to}.old.tmp`;
  await rename(to, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(from, to);
  await rm(old, { recursive: true, force: true });
}

async function saveOptimizer(model: CausalLM, path: string): Promise<OptimizerCounts> {
  const { tensors, ...counts } = await model.call((native) => native.optimizerState());
  await writeDurably(path, (file) =>
    model.call((native) => native.saveOptimizer({ path: file, header: safetensorsHeader(tensors) })),
  );
  return counts;
}
