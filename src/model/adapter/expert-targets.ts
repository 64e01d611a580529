import type { PeftConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { faultOf, moduleRule } from './module-patterns.js';

/** Of models whose experts were modules of their own: what those were called, and the weight that holds them all now. */
interface FormerModules {
  gate: string;
  up: string;
  down: string;
}

const likeMixtral: FormerModules = { gate: 'w1', up: 'w3', down: 'w2' };
const likeQwen: FormerModules = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };
/** Those that PEFT knows by these names, by model_type. */
const former: Readonly<Record<string, FormerModules>> = {
  mixtral: likeMixtral,
  qwen3_moe: likeQwen,
  olmoe: likeQwen,
};

/**
 * The same configuration for a mixture of experts: modules of `targetModules` that became weights of all experts at once
 * (and the router) move to `targetParameters`, as PEFT moves them. Gate and up stand in one weight, which gets the ranks
 * of both.
 * @param weights names of the model's
 * @throws AdaptiveTrainerError CONFIG_INVALID where one of gate and up is named without the other
 */
export function withExpertTargets(
  config: PeftConfig,
  modelType: unknown,
  weights: readonly string[],
): PeftConfig {
  const names = typeof modelType === 'string' ? former[modelType] : undefined;
  if (names === undefined || config.targetModules === null) return config;
  const weightOf: Record<string, string> = {
    gate: 'gate.weight',
    [names.gate]: 'gate_up_proj',
    [names.up]: 'gate_up_proj',
    [names.down]: 'down_proj',
  };
  const formerOf = (target: string) =>
    Object.keys(weightOf).find((name) => target === name || target.endsWith(`.${name}`));
  const targets = namesOf(config, weights, weightOf);
  const moved = new Set(targets.flatMap((target) => formerOf(target) ?? []));
  if (moved.size === 0) return config;
  const [hasGate, hasUp] = [moved.has(names.gate), moved.has(names.up)];
  if (hasGate !== hasUp) {
    const [present, missing] = hasGate ? [names.gate, names.up] : [names.up, names.gate];
    const message = `${present} of experts stands in one weight with ${missing}; name both, or neither`;
    throw new AdaptiveTrainerError('CONFIG_INVALID', `targetModules: ${message}.`, {
      details: { faults: [faultOf('targetModules', message)] },
    });
  }
  const both = hasGate ? { '.*\\.gate_up_proj': 2 } : {};
  const times = (value: number) =>
    Object.fromEntries(Object.entries(both).map(([pattern, factor]) => [pattern, factor * value]));
  return {
    ...config,
    targetModules: targets.filter((target) => formerOf(target) === undefined),
    targetParameters: [
      ...new Set([...(config.targetParameters ?? []), ...[...moved].map((name) => weightOf[name]!)]),
    ].sort(),
    rankPattern: { ...config.rankPattern, ...times(config.r) },
    alphaPattern: { ...config.alphaPattern, ...times(config.loraAlpha) },
  };
}

/** The names that `targetModules` gives; those of an expression or of all-linear are the last parts of what it fits. */
function namesOf(
  { targetModules, excludeModules }: PeftConfig,
  weights: readonly string[],
  weightOf: Readonly<Record<string, string>>,
): string[] {
  if (typeof targetModules !== 'string') return [...targetModules!];
  const last = (name: string) => name.split('.').at(-1)!;
  const modules = weights.map((name) => name.replace(/\.(weight|bias)$/, ''));
  if (targetModules.toLowerCase() === 'all-linear') {
    const linear = modules.filter((name) => /_proj$/.test(name) && !name.includes('.experts.')).map(last);
    return [...new Set([...linear, ...Object.keys(weightOf)])];
  }
  const [fits, isExcluded] = [
    moduleRule(targetModules, 'targetModules'),
    moduleRule(excludeModules ?? [], 'excludeModules'),
  ];
  const isMeant = (name: string) => fits(name) && !isExcluded(name);
  const found = new Set([...modules, ...weights].filter(isMeant).map(last));
  for (const [name, weight] of Object.entries(weightOf)) {
    const containers = weights
      .filter((one) => last(one) === weight)
      .map((one) => one.slice(0, -weight.length));
    if (containers.some((container) => isMeant(container + name))) found.add(name);
  }
  return found.size === 0 ? [] : [...found];
}
