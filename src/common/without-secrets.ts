import { redactSecrets } from './redact-secrets.js';
import type { HubSettings } from './hub-settings.js';

/** Text without access tokens, also the one of these settings, and without the query of addresses, which may be signed. */
export function withoutSecrets(text: string, { token }: Pick<HubSettings, 'token'>): string {
  const clean = redactSecrets(text).replace(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1');
  return token === undefined ? clean : clean.replaceAll(token, '[redacted]');
}
