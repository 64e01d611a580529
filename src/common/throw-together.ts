import { AdaptiveTrainerError } from '../errors.js';

/** Throws what went wrong, if anything did: one error as it is, several as one that holds them in `details.errors`. */
export function throwTogether(errors: readonly AdaptiveTrainerError[]): void {
  const [first, ...others] = errors;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const code = others.every((error) => error.code === first.code) ? first.code : 'DATASET_INVALID';
  const lines = errors.map((error) => `  ${error.message.replaceAll('\n', '\n  ')}`);
  throw new AdaptiveTrainerError(code, `${errors.length} datasets cannot be used:\n${lines.join('\n')}`, {
    details: { errors: [...errors] },
    cause: first,
  });
}
