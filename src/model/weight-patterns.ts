import type { ConfigFault } from '../common/config-fault.js';
import { escapeRegExp } from '../common/escape-reg-exp.js';
import { suggest } from '../common/suggest.js';
import { AdaptiveTrainerError } from '../errors.js';

/** The names of a model's weights, and those that stand for another (a tied head for the embedding). */
export interface WeightNames {
  names: readonly string[];
  /** Other name → the name of the weight. */
  aliases: ReadonlyMap<string, string>;
}

/** Of a model with these weights, whose first one is its embedding. */
export function weightNames(parameters: readonly { name: string }[], tiedHead: boolean): WeightNames {
  const names = parameters.map(({ name }) => name);
  return { names, aliases: new Map(tiedHead ? [['lm_head.weight', names[0]!]] : []) };
}

/**
 * The weights that each pattern names. A pattern is the name of a weight, or of a module (then all of its weights), with
 * `*` for anything, `?` for one character, `[0-3]` for one of several and `{a,b}` or `{0..11}` for one of a list. With one of
 * `^ $ ( ) | + \` in it it is a regular expression, which has to begin where the name begins and end where a module or the
 * name ends; so is one whose only `*` are those of `.*`, where it names nothing as it is.
 * @param key the setting that the patterns are of, for errors
 * @throws AdaptiveTrainerError CONFIG_INVALID listing every pattern that names no weight, with what may have been meant
 */
export function matchWeights(
  patterns: readonly string[],
  { names, aliases }: WeightNames,
  key: string,
): string[][] {
  const all = [...names, ...aliases.keys()];
  const faults: ConfigFault[] = [];
  const found = patterns.map((pattern) => {
    const rule = ruleOf(pattern, all);
    const matched = rule === undefined ? [] : all.filter((name) => rule.test(name));
    if (matched.length === 0) faults.push(faultOf(pattern, all, key));
    return [...new Set(matched.map((name) => aliases.get(name) ?? name))];
  });
  if (faults.length === 0) return found;
  const lines = faults.map(({ message }) => `  ${message}`);
  throw new AdaptiveTrainerError('CONFIG_INVALID', `${key} does not fit the model:\n${lines.join('\n')}`, {
    details: { faults },
  });
}

function ruleOf(pattern: string, names: readonly string[]): RegExp | undefined {
  const isExpression = /[\^$()|+\\]/.test(pattern);
  const asGlob = isExpression ? undefined : whole(expressionOf(pattern));
  if (asGlob !== undefined && names.some((name) => asGlob.test(name))) return asGlob;
  // Read as an expression, "layers.7*" would fit every layer of a model that has fewer.
  const isLikeExpression = pattern.includes('.*') && !/(^|[^.])\*|\?/.test(pattern);
  return isExpression || isLikeExpression ? whole(pattern) : undefined;
}

/** Ends with the name, or where a module in it ends. undefined for what is no regular expression. */
function whole(source: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${source})(?=$|\\.)`);
  } catch {
    return undefined;
  }
}

function expressionOf(glob: string): string {
  return glob.replace(/\{([^{}]*)\}|\[[^\]]+\]|[^]/g, (part, list: string | undefined) => {
    if (list !== undefined) return `(?:${alternatives(list).map(escapeRegExp).join('|')})`;
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1 ? part.replace(/^\[!/, '[^') : escapeRegExp(part);
  });
}

function alternatives(list: string): string[] {
  const range = /^(\d+)\.\.(\d+)$/.exec(list);
  if (range === null) return list.split(',');
  const [first, last] = [Number(range[1]), Number(range[2])];
  return Array.from({ length: Math.min(10_000, Math.max(0, last - first + 1)) }, (_, i) => String(first + i));
}

function faultOf(pattern: string, names: readonly string[], key: string): ConfigFault {
  const modules = new Set(names.flatMap(modulesOf));
  const ending = [...modules].find((module) => module.endsWith(`.${pattern}`));
  const near =
    ending !== undefined && ending !== pattern ? `*.${pattern}` : suggest(pattern, [...modules, ...names]);
  const meant = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
  const some = [...new Set(names.map((name) => name.replace(/\.\d+\./, '.0.')))].slice(0, 12);
  const message = `expected a pattern that fits a weight, received ${JSON.stringify(pattern)}, which fits none${meant} Weights are named like ${some.join(', ')}.`;
  return { path: key, code: 'INVALID', message, ...(near === undefined ? {} : { suggestion: near }) };
}

/** "a.b.c" → "a", "a.b". */
function modulesOf(name: string): string[] {
  const parts = name.split('.');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'));
}
