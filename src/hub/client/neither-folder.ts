import { AdaptiveTrainerError } from '../../errors.js';

/** A path that was mistyped looks like a name on the Hub: where the Hub fails, both readings are told. */
export function neitherFolder(error: unknown, dir: string): unknown {
  if (!AdaptiveTrainerError.isInstance(error, 'HUB_FAILED')) return error;
  return new AdaptiveTrainerError('HUB_FAILED', `${error.message} (There is no folder ${dir} either.)`, {
    details: { ...error.details, folder: dir },
    cause: error,
  });
}
