import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this checkout. */
export const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Its package.json. */
export const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8'));

/** What every package says of itself alike. */
export const common = Object.fromEntries(
  ['homepage', 'repository', 'bugs'].map((key) => [key, manifest[key]]),
);

/** Packages with a scope are private otherwise; provenance ties a tarball to the workflow that made it. */
export const publishConfig = { access: 'public', provenance: true };
