import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';

/** Whether a chat template is given as the path of a file: `./chat.jinja`. Jinja text has braces or several lines. */
export function isTemplatePath(given: string): boolean {
  return !/[{}\n]/.test(given) && (/\.(?:jinja2?|j2|txt)$/i.test(given) || /[/\\]/.test(given));
}

/**
 * The Jinja text of a chat template that is given as text, or as the path of a file, relative to the current directory.
 *
 * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` for a file that cannot be read
 */
export function templateSource(given: string): string {
  if (!isTemplatePath(given)) return given;
  const path = resolve(given);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AdaptiveTrainerError(
      'CHAT_TEMPLATE_FAILED',
      `Expected the chat template in ${path} (chatTemplate is "${given}", relative to the current directory) but it could ` +
        `not be read: ${cause instanceof Error ? cause.message : String(cause)}. Mend the path, or give Jinja text.`,
      { details: { path, received: given }, cause },
    );
  }
}
