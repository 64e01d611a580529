import type { ConfigFault } from '../../common/config-fault.js';
import { pythonRegExp } from '../../common/python-regexp.js';
import { AdaptiveTrainerError } from '../../errors.js';

/** A whole name or its end for a list, a match of the whole for an expression. */
export function moduleRule(wanted: string | readonly string[], key: string): (module: string) => boolean {
  if (typeof wanted !== 'string') return (module) => wanted.some((name) => endsWithModule(module, name));
  if (wanted === '') return () => false;
  const expression = wholePattern(wanted, key);
  return (module) => expression.test(module);
}

/** Whether a name is `end`, or ends with it behind a dot. */
export function endsWithModule(name: string, end: string): boolean {
  return name === end || name.endsWith(`.${end}`);
}

/** Python's re.fullmatch; flags for the whole pattern may stand at its beginning. */
function wholePattern(pattern: string, key: string): RegExp {
  const flags = /^\(\?[a-zA-Z]+\)/.exec(pattern)?.[0] ?? '';
  return compiledPattern(`${flags}^(?:${pattern.slice(flags.length)})$`, pattern, key);
}

/**
 * A regular expression of Python.
 * @param written what the user wrote of it
 * @throws AdaptiveTrainerError CONFIG_INVALID naming the key
 */
export function compiledPattern(source: string, written: string, key: string): RegExp {
  try {
    return pythonRegExp(source);
  } catch (cause) {
    const message = `Expected a regular expression of Python for ${key}, found ${JSON.stringify(written)}: ${(cause as Error).message}.`;
    throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
      details: { faults: [faultOf(key, message)] },
      cause,
    });
  }
}

export function faultOf(key: string, message: string): ConfigFault {
  return { path: `peftConfig.${key}`, code: 'INVALID', message };
}
