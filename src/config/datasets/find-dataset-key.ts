import { datasetName } from './dataset-name.js';

/**
 * Looks a dataset up in a table by name: as it is written (`name:|:500`), then without its `:|:K`, then under the same
 * name with another `:|:K`. Gives the key it is found under.
 *
 * @param counts which values count as an entry; null says something in a table of functions, and nothing elsewhere
 */
export function findDatasetKey(
  table: Readonly<Record<string, unknown>>,
  entry: string,
  counts: (value: unknown) => boolean = (value) => value !== undefined && value !== null,
): string | undefined {
  const { name } = datasetName(entry);
  const isThere = (key: string) => Object.hasOwn(table, key) && counts(table[key]);
  if (isThere(entry)) return entry;
  if (isThere(name)) return name;
  return Object.keys(table).find((key) => isThere(key) && datasetName(key).name === name);
}
