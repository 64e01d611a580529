import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../common/package-root.js';
import { redactSecrets } from '../common/redact-secrets.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { ReportData } from './run-report.js';

const template = join(packageRoot, 'dist', 'report', 'template.html');
const place = '"here the data goes"';

/**
 * The page as HTML. Its Content Security Policy lets no script run but its own, and no request leave it, but for a live page's
 * to the server that it came from.
 */
export async function reportPage(data: ReportData): Promise<string> {
  const html = await readFile(template, 'utf8').catch((cause: unknown) => {
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Expected the template of the report at ${template}, but it cannot be read: ${(cause as Error).message}. In a checkout, make it with \`npm run build:ts\`.`,
      { cause, details: { path: template } },
    );
  });
  // In a script element the parser looks for nothing but `<`; JSON has it in strings alone.
  const json = redactSecrets(JSON.stringify(data)).replaceAll('<', '\\u003c');
  const page = html.replace(place, () => json);
  return data.live === undefined ? page : page.replace("default-src 'none'", "$&; connect-src 'self'");
}
