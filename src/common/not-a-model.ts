import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';

/** @throws AdaptiveTrainerError MODEL_NOT_FOUND for what is easily taken for the folder of a model, naming the one that is meant */
export function refuseOther(dir: string): void {
  const found = notAModel(dir);
  if (found === undefined) return;
  throw new AdaptiveTrainerError('MODEL_NOT_FOUND', `Expected the folder of a model, found ${found}`, {
    details: { path: dir },
  });
}

/** Says of a file, and of a folder that holds the models of a run, what it is and which is meant; undefined for any other. */
export function notAModel(dir: string): string | undefined {
  if (!existsSync(dir)) return undefined;
  if (!statSync(dir).isDirectory()) return `${dir}, which is a file. Name the folder with config.json.`;
  if (existsSync(join(dir, 'config.json')) || existsSync(join(dir, 'adapter_config.json'))) return undefined;
  const [model] = modelsIn(dir);
  if (model === undefined) return undefined;
  return `${dir}, the output folder of a run. Its model is in ${relative('.', join(dir, model))}: name that.`;
}

/** The finished model first, then checkpoints, the newest first. */
function modelsIn(dir: string): string[] {
  if (existsSync(join(dir, 'final_model'))) return ['final_model'];
  const stepOf = (name: string) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? -1);
  return readdirSync(dir)
    .filter((name) => stepOf(name) >= 0)
    .sort((a, b) => stepOf(b) - stepOf(a));
}
