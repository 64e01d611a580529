import type { TrainingConfig } from '../../config/schema/parsed-config.js';

/** Bytes of optimizer state per parameter. */
export function bytesOfState({
  optimizer,
  optimArgs,
  momentum,
}: Pick<TrainingConfig, 'optimizer' | 'momentum'> & Partial<Pick<TrainingConfig, 'optimArgs'>>): number {
  switch (optimizer) {
    case 'adamw_8bit':
    case 'adamw_bnb_8bit':
    case 'paged_adamw_8bit':
      return 2 + 8 / 256;
    case 'sgd':
      return momentum > 0 ? 4 : 0;
    case 'rmsprop':
      return 4 + (momentum > 0 ? 4 : 0) + (optimArgs?.centered === true ? 4 : 0);
    case 'adagrad':
    case 'lion':
    case 'lion_32bit':
    case 'paged_lion':
    case 'paged_lion_32bit':
      return 4;
    case 'lion_8bit':
    case 'paged_lion_8bit':
      return 1 + 4 / 256;
    case 'ademamix':
    case 'paged_ademamix':
    case 'paged_ademamix_32bit':
      return 12;
    case 'ademamix_8bit':
    case 'paged_ademamix_8bit':
      return 3 + 12 / 256;
    case 'adafactor':
      return 0.02; // a row and a column of each matrix
    default:
      return 8;
  }
}
