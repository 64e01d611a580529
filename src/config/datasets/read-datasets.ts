import type { LearningStyle } from '../../events/learning-style.js';
import { readPlans } from './read-plans.js';
import type { ConfigFault } from '../read/config-fault.js';
import type { ConfigReader, GivenKeys } from '../read/config-reader.js';
import type { DatasetKwargsInput, DatasetsConfig } from './datasets-config.js';
import { isPlainObject } from '../../common/is-plain-object.js';

/** Everything about datasets in a configuration, checked; what `DatasetMixer` takes. */
export interface DatasetSettings {
  datasetsConfig: DatasetsConfig;
  /** System prompt by learning style. */
  systemPrompts: Partial<Record<LearningStyle, string | null>>;
  /** By dataset name, with or without its `:|:K`, exactly as the user wrote it. */
  datasetsKwargs: Record<string, DatasetKwargsInput | null>;
  /** Appended to the system prompt; by dataset name as above. */
  datasetSpecificSystemPrompts: Record<string, string | null>;
}

const tableNames = ['systemPrompts', 'datasetsKwargs', 'datasetSpecificSystemPrompts'] as const;

/**
 * Reads `datasetsConfig` and the three tables beside it. The rules for them are those of the data layer, which is
 * asked for its faults here, so that they are told together with all others.
 */
export function readDatasets(reader: ConfigReader, config: GivenKeys): DatasetSettings | undefined {
  const tables: Record<string, Record<string, never>> = {};
  for (const name of tableNames) {
    const table = config.get(name);
    const isGiven = table !== undefined && table.value !== null;
    if (isGiven && !isPlainObject(table.value)) reader.unexpected(table.path, 'an object', table.value);
    tables[name] = isPlainObject(table?.value) ? (table.value as Record<string, never>) : {};
  }
  const given = config.get('datasetsConfig');
  if (!isPlainObject(given?.value)) {
    const path = given?.path ?? reader.spell('datasetsConfig');
    reader.unexpected(path, 'an object that lists datasets by learning style', given?.value);
    return undefined;
  }
  // What it warns of, it warns of again when the mixer reads it.
  const { faults } = readPlans(given.value, tables, () => {});
  reader.faults.push(...faults.map((fault) => inUsersSpelling(reader, config, fault)));
  return { datasetsConfig: given.value, ...tables } as unknown as DatasetSettings;
}

/** The data layer names the four objects in camelCase; the rest of a path is already the user's. */
function inUsersSpelling(reader: ConfigReader, config: GivenKeys, fault: ConfigFault): ConfigFault {
  const path = fault.path.replace(/^\w+/, (name) => config.get(name)?.path ?? reader.spell(name));
  if (fault.suggestion === undefined) return { ...fault, path };
  const suggestion = reader.spell(fault.suggestion);
  return {
    ...fault,
    path,
    suggestion,
    message: fault.message.replace(JSON.stringify(fault.suggestion), JSON.stringify(suggestion)),
  };
}
