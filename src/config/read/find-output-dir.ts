import { isPlainObject } from '../../common/is-plain-object.js';
import { configPath } from './config-path.js';
import type { ConfigReader } from './config-reader.js';

interface Given {
  value: unknown;
  path: string;
}

/**
 * `outputDir`, which may stand beside the training configuration or in it, unchecked. Two that differ are a fault.
 * @param training the training configuration as it was given
 */
export function findOutputDir(
  reader: ConfigReader,
  beside: Given | undefined,
  training: unknown,
  path: string,
): Given | undefined {
  const isThere = (value: unknown) => value !== undefined && value !== null;
  const key = isPlainObject(training)
    ? ['outputDir', 'output_dir'].find((name) => isThere(training[name]))
    : undefined;
  if (key === undefined) return beside;
  const inside = { value: (training as Record<string, unknown>)[key], path: configPath(path, key) };
  if (!isThere(beside?.value)) return inside;
  if (beside!.value !== inside.value) {
    const message = `expected what ${beside!.path} says or nothing, received another folder; remove one of the two`;
    reader.faults.push({ path: inside.path, code: 'CONTRADICTION', message });
  }
  return beside;
}
