import type { ConfigReader, GivenKeys } from './config-reader.js';
import { describeValue } from '../../common/describe-value.js';
import { notAvailable } from '../schema/not-available.js';
import type { NotAvailable } from '../schema/not-available.js';

/** Records a fault for each given value that is not available yet, and takes it out, so that it is reported once. */
export function refuseNotAvailable(
  reader: ConfigReader,
  group: NotAvailable['group'],
  given: GivenKeys,
): void {
  for (const entry of notAvailable) {
    const found = given.get(entry.key);
    if (entry.group !== group || found === undefined || !entry.matches(found.value)) continue;
    reader.faults.push({
      path: found.path,
      code: 'NOT_AVAILABLE',
      message: `expected ${entry.expected}, received ${describeValue(found.value)}; ${entry.what} is not available yet`,
    });
    given.delete(entry.key);
  }
}
