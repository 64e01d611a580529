// Writes the report of the public surface, which a test compares with what the package exports.
import path from 'node:path';
import { checkout } from './checkout.mjs';
import { rollupTypes } from './rollup-types.mjs';

rollupTypes({ report: path.join(checkout, 'test', 'packages') });
