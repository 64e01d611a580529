import { snakeCase } from '../../common/snake-case.js';
import { isLeftAlone, otherTrainers } from '../schema/other-trainers.js';
import type { ConfigReader } from './config-reader.js';

/**
 * Takes a key of another trainer that changes nothing here: one that has no effect, of which a warning says what is done
 * instead, or one that is not there and is turned off.
 * @returns whether it did
 */
export function takeWithoutEffect(reader: ConfigReader, key: string, value: unknown, path: string): boolean {
  const name = snakeCase(key);
  const verdict = otherTrainers.get(name);
  if (verdict === undefined || verdict.kind === 'renamed') return false;
  if (isLeftAlone(name, value)) return true;
  if (verdict.kind === 'missing') return false;
  const message = `${path} has no effect here: ${verdict.note}.`;
  reader.warnings.push({ code: 'KEY_WITHOUT_EFFECT', message });
  return true;
}
