import { errorText } from '../../common/error-text.js';
import { redactSecrets } from '../../common/redact-secrets.js';
import { AdaptiveTrainerError } from '../../errors.js';

/** One thing that was looked at. */
export interface Finding {
  name: string;
  /** `problem`: training or something beside it will fail; `warning`: it may; `info`: neither good nor bad. */
  state: 'ok' | 'info' | 'warning' | 'problem';
  found: string;
  /** What helps, for what is not well. */
  mend?: string;
}

export const ok = (name: string, found: string): Finding => finding('ok', name, found);
export const info = (name: string, found: string): Finding => finding('info', name, found);

export function warning(name: string, found: string, mend: string): Finding {
  return { ...finding('warning', name, found), mend: clean(mend) };
}

export function problem(name: string, found: string, mend: string): Finding {
  return { ...finding('problem', name, found), mend: clean(mend) };
}

/** An error of the library says itself what helps; `mend` is for one that does not. */
export function failed(name: string, error: unknown, mend: string): Finding {
  if (!AdaptiveTrainerError.isInstance(error)) return problem(name, errorText(error), mend);
  return problem(name, `${error.code}: ${error.message}`, fixOf(error.details) ?? mend);
}

function fixOf(details: Readonly<Record<string, unknown>>): string | undefined {
  const { fix, fixes } = details;
  if (typeof fix === 'string') return fix;
  return Array.isArray(fixes) ? fixes.join('; ') : undefined;
}

function finding(state: Finding['state'], name: string, found: string): Finding {
  return { name, state, found: clean(found) };
}

/** Without tokens, and without what stands before the `@` of an address. */
function clean(text: string): string {
  return redactSecrets(text).replace(/(\b[a-z][a-z\d+.-]*:\/\/)[^\s/@]+@/gi, '$1[redacted]@');
}
