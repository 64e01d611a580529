import { format, resolveConfig } from 'prettier';
import { root } from './comments.js';
import { cliPage } from './cli-page.js';
import { configGroups } from './config-keys.js';
import { errorsPage } from './errors-page.js';
import { eventsPage } from './events-page.js';
import { inputTypes } from './input-types.js';
import { keysPage } from './keys-page.js';
import { ranksPage } from './ranks-table.js';

/** The content of every generated file, by its path from the root. */
export async function pages(): Promise<Map<string, string>> {
  const groups = configGroups();
  const texts: [string, string][] = [
    ['src/config/schema/config-input.ts', inputTypes(groups)],
    ['docs/keys.md', keysPage(groups)],
    ['docs/events.md', eventsPage()],
    ['docs/errors.md', errorsPage()],
    ['docs/cli.md', cliPage()],
    ['docs/ranks.md', ranksPage()],
  ];
  const made = texts.map(async ([path, text]) => {
    const options = await resolveConfig(root + path);
    return [path, await format(text, { ...options, filepath: path })] as const;
  });
  return new Map(await Promise.all(made));
}
