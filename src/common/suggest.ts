import { distance } from 'fastest-levenshtein';

// What people write for what is a key here.
const otherNames = new Map([
  ['epochs', 'numEpochs'],
  ['lr', 'learningRate'],
  ['model', 'modelName'],
  ['dataset', 'datasetsConfig'],
]);

/**
 * The known name that an unknown one was most likely meant to be, or undefined where none is near.
 * Case, underscores and hyphens do not count as differences.
 */
export function suggest(unknown: string, known: readonly string[]): string | undefined {
  const wanted = plain(unknown);
  const other = otherNames.get(wanted);
  if (other !== undefined && known.includes(other)) return other;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1; // farther than this it is another word
  for (const name of known) {
    const difference = distance(wanted, plain(name));
    if (difference < bestDistance && difference < name.length - 1) {
      best = name;
      bestDistance = difference;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}
