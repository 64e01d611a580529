import type { DatasetPlan } from '../datasets/dataset-plan.js';
import type { Planner } from '../datasets/read-plans.js';
import type { RetentionConfig } from '../schema/parsed-config.js';
import { retentionSchema, type RetentionText } from '../schema/retention.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import { configPath } from './config-path.js';
import { asParsed } from './parsed.js';

/** `retention` of a training configuration, as it was read. */
export interface RetentionParts {
  retention: RetentionConfig | null;
  /** It was given as false. */
  isRefused: boolean;
  /** The datasets among its sources. */
  datasets: DatasetPlan[];
}

/** Takes `retention` out of the keys of a training configuration. */
export function readRetention(reader: ConfigReader, given: GivenKeys, planner: Planner): RetentionParts {
  const none = { retention: null, isRefused: false, datasets: [] };
  const found = given.get('retention');
  if (found === undefined) return none;
  given.delete('retention');
  const { value, path } = found;
  if (value === null || value === false) return { ...none, isRefused: value === false };
  const scratch = given.get('fromScratch');
  if (scratch?.value === true) {
    const message = `expected none with ${scratch.path}, since new weights know nothing to be kept, received some; remove one of the two`;
    reader.faults.push({ path, code: 'CONTRADICTION', message });
  }
  if (value === 'auto') return { ...none, retention: automatic };
  if (typeof value !== 'object' || Array.isArray(value)) {
    reader.unexpected(path, '"auto", false or an object of settings', value);
    return none;
  }
  const keys = reader.keys(value, path, Object.keys(retentionSchema.shape));
  const read = reader.read(retentionSchema, keys, path);
  if (read === undefined) return none;
  const at = keys.get('source')?.path ?? path;
  const isList = Array.isArray(read.source);
  const texts = (isList ? read.source : [read.source]) as readonly RetentionText[];
  if (texts.length === 0) reader.unexpected(at, '"self", a dataset, or a list of these', texts);
  if (texts.filter((text) => text === 'self').length > 1) {
    const message = 'expected "self" once, received it again; remove one';
    reader.faults.push({ path: at, code: 'CONTRADICTION', message });
  }
  const entries = texts.map((text, index) => ({ value: text, path: isList ? configPath(at, index) : at }));
  const datasets = planner.readList(
    'misc',
    entries.filter(({ value: text }) => text !== 'self'),
  );
  const retention = asParsed({ ...read, source: Object.freeze([...texts]) });
  return { retention, isRefused: false, datasets };
}

/** What `auto` is. */
export const automatic: RetentionConfig = asParsed({
  ...retentionSchema.parse({ auto: true }),
  source: Object.freeze(['self'] as const),
});
