import { join } from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { tryFolder } from '../../common/mkdirs.js';
import { ioError } from '../../common/write-durably.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../../config/schema/parsed-config.js';

/** Where what `retention` and `evalForgetting` keep of base models lies, unless a trainer is told another folder. */
export const statesFolder = (): string => join(cacheDir(), 'base-states');

/**
 * Tries, before hours of work, whether that folder can be written, where a run cannot do without it. Leaves nothing.
 * @throws AdaptiveTrainerError IO_FAILED
 */
export async function tryStatesFolder(
  { retention, evalForgetting }: Pick<TrainingConfig, 'retention' | 'evalForgetting'>,
  { maxKlDivergence }: Pick<AdaptiveLossConfig, 'maxKlDivergence'>,
): Promise<void> {
  const isReplayed = retention !== null && (retention.weight > 0 || maxKlDivergence !== null);
  if (!isReplayed && evalForgetting !== true) return;
  const folder = statesFolder();
  await tryFolder(folder).catch((cause: unknown) => {
    throw ioError(
      folder,
      new Error(`${(cause as Error).message}. Set ADAPTIVE_TRAINER_CACHE to a folder for it`, { cause }),
    );
  });
}
