import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { NamedWeight } from '../../engine/addon.js';
import { adapterModules, type AdapterModules } from './adapter-modules.js';
import { withExpertTargets } from './expert-targets.js';
import type { AdaptedModel } from './low-rank-target.js';
import type { ModelAdapter } from './model-adapter.js';

/** Where an adapter goes on a model. */
export interface AdapterPlan {
  config: PeftConfig;
  modules: AdapterModules;
}

/**
 * Finds where an adapter goes.
 * @param isStored names that fit no module are passed over, as long as one does. Default false
 * @throws AdaptiveTrainerError CONFIG_INVALID for names that fit no module
 */
export function planAdapter(given: PeftConfig, model: AdaptedModel, isStored = false): AdapterPlan {
  const names = model.parameters.map(({ name }) => name);
  const config = withExpertTargets(given, model.modelType, names);
  return { config, modules: adapterModules(config, model, isStored) };
}

/** The adapter of a plan that a model has. */
export function placedAdapter(
  { config, modules }: AdapterPlan,
  trainable: readonly NamedWeight[],
  base: Pick<ModelAdapter, 'base' | 'revision' | 'hasOwnVocabulary'>,
): ModelAdapter {
  const targets = modules.targets.map(({ module }) => module);
  // PEFT, too, writes out what it chose.
  const byParameter = (module: string) =>
    config.targetParameters?.some((name) => `.${module}.weight`.endsWith(`.${name}`)) ?? false;
  const chosen = targets.filter((module) => !byParameter(module)).map((module) => module.split('.').at(-1)!);
  return {
    config: { ...config, targetModules: config.targetModules ?? [...new Set(chosen)] },
    trainable,
    ...base,
    targets,
    tokenTables: modules.tokenRows.map(({ module }) => module),
    keepsTied: modules.keepsTied,
  };
}
