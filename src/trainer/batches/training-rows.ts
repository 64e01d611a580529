import type { TrainingRow } from '../../events/training-row.js';

/** What can be trained and evaluated on: an array, or a stream that is read once per epoch. */
export type TrainingRows = readonly TrainingRow[] | AsyncIterable<TrainingRow>;
