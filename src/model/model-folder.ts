import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';

/**
 * The folder of a model.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND when there is none, also for the name of a model on the Hub
 */
export function modelFolder(dirOrHubId: string): string {
  const dir = resolve(dirOrHubId);
  if (existsSync(dir) && statSync(dir).isDirectory()) return dir;
  const hub = /^[\w.-]+\/[\w.-]+$/.test(dirOrHubId)
    ? ' Models of the Hugging Face Hub are not available yet: download its files and pass the folder.'
    : '';
  throw new AdaptiveTrainerError(
    'MODEL_NOT_FOUND',
    `Expected a model folder, but there is none at ${dir}.${hub}`,
    {
      details: { path: dir },
    },
  );
}
