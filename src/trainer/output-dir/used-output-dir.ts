import { AdaptiveTrainerError } from '../../errors.js';
import type { RunSource } from '../checkpoint/find-source.js';

/** What to say of an output folder that holds what a run would write over. */
export function usedOutputDir(
  outputDir: string,
  { checkpoint, inTheWay, resumable }: RunSource,
): AdaptiveTrainerError {
  const held = shortList(inTheWay);
  const expected =
    checkpoint === undefined
      ? 'Expected an output folder without another run'
      : `Expected an output folder with nothing but the past of ${checkpoint.path}`;
  const ways = [
    ...(resumable === undefined
      ? []
      : [`go on from ${resumable} (resumeFromCheckpoint: true, or train --resume)`]),
    `delete what is in the way (overwriteOutputDir: true, or train --overwrite)`,
    'give another outputDir, which leaves everything as it is',
  ];
  return new AdaptiveTrainerError(
    'OUTPUT_DIR_USED',
    `${expected}, but ${outputDir} holds ${held}. Nothing was changed. Either ${ways.join('; or ')}.`,
    { details: { outputDir, inTheWay, resumable } },
  );
}

/** What will become of it where `overwriteOutputDir` is true. */
export function overwritingMessage(outputDir: string, inTheWay: readonly string[]): string {
  const checkpoints = inTheWay.filter((name) => name !== 'final_model');
  const deleted = checkpoints.length > 0 ? [`${shortList(checkpoints)} deleted`] : [];
  const replaced = inTheWay.includes('final_model') ? ['final_model replaced at the end of the run'] : [];
  return `${outputDir} holds an earlier run, which is overwritten: ${[...deleted, ...replaced].join(', ')}.`;
}

function shortList(names: readonly string[]): string {
  const shown = names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
