import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';

/**
 * A folder that holds the models of a run is taken for one of them easily.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND naming the model that is meant
 */
export function refuseRunFolder(dir: string): void {
  if (existsSync(join(dir, 'config.json')) || existsSync(join(dir, 'adapter_config.json'))) return;
  const [model] = existsSync(dir) ? modelsIn(dir) : [];
  if (model === undefined) return;
  const named = relative('.', join(dir, model));
  throw new AdaptiveTrainerError(
    'MODEL_NOT_FOUND',
    `Expected the folder of a model, found ${dir}, the output folder of a run. Its model is in ${named}: name that.`,
    { details: { path: dir } },
  );
}

/** The finished model first, then checkpoints, the newest first. */
function modelsIn(dir: string): string[] {
  if (existsSync(join(dir, 'final_model'))) return ['final_model'];
  const stepOf = (name: string) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? -1);
  return readdirSync(dir)
    .filter((name) => stepOf(name) >= 0)
    .sort((a, b) => stepOf(b) - stepOf(a));
}
