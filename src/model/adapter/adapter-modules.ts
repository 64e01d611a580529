import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { ConfigFault } from '../../common/config-fault.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { AdapterRequest } from '../../engine/addon.js';
import { textName, wholeName } from '../files/text-names.js';
import { embeddings, head, isMatrix, targetOf, type AdaptedModel, type Named } from './low-rank-target.js';
import { compiledPattern, faultOf, moduleRule } from './module-patterns.js';
import { parameterTargets } from './parameter-targets.js';
import { isTakenOut } from './plain-adapter.js';
import { tokenRowsOf } from './token-rows.js';

export type AdapterModules = Pick<
  AdapterRequest,
  'targets' | 'modulesToSave' | 'biases' | 'tokenRows' | 'keepsTied'
>;

/** What PEFT takes for targetModules that are left out (its TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING). */
const usualTargets: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3_text', 'stablelm', 'mixtral'].map(
      (type) => [type, ['q_proj', 'v_proj']],
    ),
  ),
  phi: ['q_proj', 'v_proj', 'fc1', 'fc2'],
  gpt_neox: ['query_key_value'],
  gpt2: ['c_attn'],
};

/** What chooses experts: no linear layer to PEFT. */
const routers = /\.mlp\.(gate|router)$/;

/** The linear layers of the blocks. */
export function projectionModules(parameters: readonly Named[]): string[] {
  return parameters
    .filter(isMatrix)
    .map(({ name }) => name.replace(/\.weight$/, ''))
    .filter((module) => !embeddings.test(module) && module !== head && !routers.test(module));
}

/**
 * Finds the modules that an adapter's configuration names, by PEFT's rules.
 * @param isStored names that fit no module are passed over, as long as one does: adapters often name those of several models
 * @throws AdaptiveTrainerError CONFIG_INVALID for names that fit no module, listing those there are
 */
export function adapterModules(config: PeftConfig, model: AdaptedModel, isStored = false): AdapterModules {
  if (!model.isPart) return modulesIn(config, model, isStored);
  const parameters = model.parameters.map((weight) => ({ ...weight, name: wholeName(weight.name) }));
  const found = modulesIn(config, { ...model, parameters }, isStored);
  const named = <T extends { module: string }>(one: T): T => ({ ...one, module: textName(one.module) });
  return {
    targets: found.targets.map(named),
    modulesToSave: found.modulesToSave.map(textName),
    biases: found.biases.map(textName),
    tokenRows: found.tokenRows.map(named),
    keepsTied: found.keepsTied,
  };
}

function modulesIn(config: PeftConfig, model: AdaptedModel, isStored: boolean): AdapterModules {
  const { parameters, tiedHead } = model;
  const modules = [...new Set(parameters.map(({ name }) => name.slice(0, name.lastIndexOf('.'))))];
  const matrices = parameters.filter(isMatrix);
  const all = [...new Set([...matrices.map(({ name }) => name.replace(/\.weight$/, '')), head])];
  const projections = projectionModules(parameters);
  const faults: ConfigFault[] = [];
  const saved = savedModules(config, [...new Set([...modules, head])], isStored, faults);
  const isTarget = targetRule(config, model, projections);
  const isExcluded = moduleRule(config.excludeModules ?? [], 'excludeModules');
  const named = all.filter((module) => isTarget(module) && !isExcluded(module) && !isSaved(config, module));
  const { targets, modulesToSave, keepsTied } = tied(config, model, named, saved);
  const table = parameters[0]!.name.replace(/\.weight$/, '');
  // What PEFT saves of it, it opens as something else.
  if (config.ensureWeightTying && tiedHead && !keepsTied && [...targets, ...modulesToSave].includes(table))
    faults.push(
      faultOf('ensureWeightTying', `PEFT does not tie a head to ${table}, whatever it says; leave it out`),
    );

  const lists = Array.isArray(config.targetModules) && !isStored ? config.targetModules : [];
  for (const name of lists) {
    const isNamed = moduleRule([name], 'targetModules');
    if (all.some(isNamed)) continue;
    const other = [...modules, ...parameters.map((weight) => weight.name)].find(isNamed);
    faults.push(
      faultOf(
        'targetModules',
        other === undefined ? `there is no module ${JSON.stringify(name)}` : otherThan(other),
      ),
    );
  }
  for (const module of targets.filter((one) => routers.test(one)))
    faults.push(faultOf('targetModules', `low-rank additions to ${module} are not available`));
  const byParameter = parameterTargets(config, model, targets, isStored, faults);
  const low = [...targets.map((module) => targetOf(module, config)), ...byParameter];
  refuseOnTables(config, low, faults);
  const tokenRows = tokenRowsOf(
    config,
    { ...model, targets: low.map(({ module }) => module), modulesToSave },
    faults,
  );
  if ((config.layersPattern ?? '').length > 0 && (config.layersToTransform ?? []).length === 0)
    faults.push(faultOf('layersPattern', 'it goes with layersToTransform alone'));
  if (low.length === 0) faults.push(faultOf('targetModules', 'no module of this model fits'));
  throwFaults(faults, projections, tiedHead);
  const trained = low.filter(({ form }) => form !== 'embedding').map(({ module }) => `${module}.bias`);
  return { targets: low, modulesToSave, biases: biasesOf(config, parameters, trained), tokenRows, keepsTied };
}

/** What is said of a name that no projection has. */
function otherThan(module: string): string {
  const parts = module.split('.');
  return parts.at(-2) === 'experts'
    ? `${module} is no module but the weights of experts; name it in targetParameters: ["${parts.slice(-2).join('.')}"]`
    : `low-rank additions to ${module} are not available`;
}

/** PEFT compares ends of names here, without a dot before them: "norm" is every norm. */
function savedModules(
  config: PeftConfig,
  modules: readonly string[],
  isStored: boolean,
  faults: ConfigFault[],
): string[] {
  const saved = (config.modulesToSave ?? []).map((name) => ({
    name,
    found: modules.filter((module) => containersOf(module).some((one) => one.endsWith(name))),
  }));
  for (const { name, found } of saved)
    if (found.length === 0 && !isStored)
      faults.push(faultOf('modulesToSave', `there is no module ${JSON.stringify(name)}`));
  return [...new Set(saved.flatMap(({ found }) => found))];
}

/** A module and those that it is in, the model itself left out. */
function containersOf(module: string): string[] {
  const parts = module.split('.');
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
}

/** What is trained whole, with all that is in it, gets no addition. */
function isSaved(config: PeftConfig, module: string): boolean {
  return (config.modulesToSave ?? []).some((name) =>
    compiledPattern(`(^|.*\\.)${name}($|\\..*)`, name, 'modulesToSave').test(module),
  );
}

/** Embedding and head of a model that ties them, where `ensureWeightTying` is set: both, or neither. */
function tied(
  config: PeftConfig,
  { parameters, tiedHead }: AdaptedModel,
  targets: string[],
  modulesToSave: string[],
): { targets: string[]; modulesToSave: string[]; keepsTied: boolean } {
  const embedding = parameters[0]!.name.replace(/\.weight$/, '');
  // PEFT knows the two by these names alone: an embedding of another name is not tied.
  const isTable = (module: string) => module === head || module.endsWith('embed_tokens');
  const keepsTied = config.ensureWeightTying && tiedHead;
  if (!keepsTied) return { targets, modulesToSave, keepsTied: false };
  const others = (modules: string[]) => modules.filter((one) => one !== head && one !== embedding);
  if (modulesToSave.some(isTable))
    return { targets: others(targets), modulesToSave: [...others(modulesToSave), embedding], keepsTied };
  if (targets.some(isTable))
    return { targets: [embedding, ...others(targets), head], modulesToSave, keepsTied };
  return { targets, modulesToSave, keepsTied: false };
}

/** What is not available of embeddings and head. */
function refuseOnTables(config: PeftConfig, targets: AdapterRequest['targets'], faults: ConfigFault[]): void {
  const isTable = (module: string) => embeddings.test(module) || module === head;
  const tables = targets.filter(({ module }) => isTable(module)).map(({ module }) => module);
  if (config.useDora && tables.length > 0)
    faults.push(
      faultOf('useDora', `it is not available for ${tables.join(', ')}; leave it out of targetModules`),
    );
  if (isTakenOut(config) && tables.includes(head))
    faults.push(
      faultOf(
        'initLoraWeights',
        `${JSON.stringify(config.initLoraWeights)} is not available for lm_head; leave it out of targetModules`,
      ),
    );
}

function biasesOf(config: PeftConfig, parameters: readonly Named[], ofTargets: readonly string[]): string[] {
  if (config.bias === 'none') return [];
  // PEFT does not count those of experts, gate_up_proj_bias.
  const biases = parameters.map(({ name }) => name).filter((name) => name.endsWith('.bias'));
  return config.bias === 'all' ? biases : biases.filter((name) => ofTargets.includes(name));
}

function throwFaults(
  faults: readonly ConfigFault[],
  projections: readonly string[],
  tiedHead: boolean,
): void {
  if (faults.length === 0) return;
  const names = [...new Set(projections.map((module) => module.split('.').at(-1)!))];
  const lines = faults.map(({ path, message }) => `  ${path}: ${message}`);
  const others = tiedHead ? 'the embedding' : 'the embedding and lm_head';
  throw new AdaptiveTrainerError(
    'CONFIG_INVALID',
    `The adapter's configuration does not fit the model:\n${lines.join('\n')}\nIts projections are ${names.join(', ')}; beside them it has ${others}.`,
    { details: { faults, projections: names } },
  );
}

function targetRule(
  config: PeftConfig,
  { modelType }: AdaptedModel,
  projections: readonly string[],
): (module: string) => boolean {
  const { targetModules, layersToTransform } = config;
  if (typeof targetModules === 'string') {
    if (targetModules.toLowerCase() === 'all-linear') return (module) => projections.includes(module);
    return moduleRule(targetModules, 'targetModules');
  }
  const usual = typeof modelType === 'string' ? usualTargets[modelType] : undefined;
  if (targetModules === null && usual === undefined) {
    if (config.targetParameters !== null) return () => false;
    throw noUsualTargets(modelType, projections);
  }
  const isNamed = moduleRule(targetModules ?? usual!, 'targetModules');
  if (layersToTransform === null || layersToTransform.length === 0) return isNamed;
  const patterns = [config.layersPattern ?? []].flat();
  const layers = (patterns.length === 0 ? [undefined] : patterns).map((pattern) => layerRule(pattern));
  return (module) => {
    const layer = layers.map((rule) => rule.exec(module)).find((match) => match !== null)?.groups!['idx'];
    return isNamed(module) && layer !== undefined && layersToTransform.includes(Number(layer));
  };
}

function layerRule(pattern: string | undefined): RegExp {
  const source = pattern === undefined ? '.*?\\.[^.]*' : `(?:^|.*?\\.)${pattern}`;
  return compiledPattern(`^${source}\\.(?P<idx>\\d+)\\.`, pattern ?? '', 'layersPattern');
}

function noUsualTargets(modelType: unknown, projections: readonly string[]): AdaptiveTrainerError {
  const names = [...new Set(projections.map((module) => module.split('.').at(-1)!))];
  const message = `Expected targetModules, since PEFT has no usual ones for ${String(modelType)}: "all-linear" or some of ${names.join(', ')}.`;
  const fault = { ...faultOf('targetModules', message), code: 'MISSING' } as const;
  return new AdaptiveTrainerError('CONFIG_INVALID', message, {
    details: { faults: [fault], projections: names },
  });
}
