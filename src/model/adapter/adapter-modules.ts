import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { ConfigFault } from '../../common/config-fault.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { AdapterRequest } from '../../engine/addon.js';

interface Named {
  name: string;
  shape: readonly number[];
}

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

/** Modules that hold matrices and are no projections of a block: looked up, or the head. */
const tables = /(^|\.)(embed_tokens|embed_in|wte|wpe|lm_head)$/;

/** What chooses experts: no linear layer to PEFT. */
const routers = /\.mlp\.(gate|router)$/;

/** The linear layers of the blocks. */
export function projectionModules(parameters: readonly Named[]): string[] {
  return parameters
    .filter(({ name, shape }) => name.endsWith('.weight') && shape.length === 2)
    .map(({ name }) => name.replace(/\.weight$/, ''))
    .filter((module) => !tables.test(module) && !routers.test(module));
}

/**
 * Finds the modules that an adapter's configuration names, by PEFT's rules.
 * @param parameters those of the model
 * @param modelType model_type of config.json
 * @param isStored names that fit no module are passed over, as long as one does: adapters often name those of several models
 * @throws AdaptiveTrainerError CONFIG_INVALID for names that fit no module, listing those there are
 */
export function adapterModules(
  config: PeftConfig,
  parameters: readonly Named[],
  modelType: unknown,
  isStored = false,
): Pick<AdapterRequest, 'targets' | 'modulesToSave'> {
  const modules = [...new Set(parameters.map(({ name }) => name.replace(/\.(weight|bias)$/, '')))];
  // A norm of heads may have a row for each.
  const matrices = parameters.filter(
    ({ name, shape }) => /(?<!norm)\.weight$/.test(name) && shape.length === 2,
  );
  const all = matrices.map(({ name }) => name.replace(/\.weight$/, ''));
  const projections = projectionModules(parameters);
  // PEFT compares ends of names here, without a dot before them: "norm" is every norm.
  const saved = (config.modulesToSave ?? []).map((name) => ({
    name,
    found: [...modules, 'lm_head'].filter((module) => module.endsWith(name)),
  }));
  const modulesToSave = [...new Set(saved.flatMap(({ found }) => found))];
  const isTarget = targetRule(config, modelType, projections);
  const isExcluded = ruleOf(config.excludeModules ?? [], 'excludeModules');
  const targets = all.filter(
    (module) => isTarget(module) && !isExcluded(module) && !modulesToSave.includes(module),
  );

  const faults = saved
    .filter(({ found }) => found.length === 0 && !isStored)
    .map(({ name }) => faultOf('modulesToSave', `there is no module ${JSON.stringify(name)}`));
  const lists = Array.isArray(config.targetModules) && !isStored ? config.targetModules : [];
  for (const name of lists) {
    if (!all.some(ruleOf([name], 'targetModules')) && !modules.some(ruleOf([name], 'targetModules')))
      faults.push(faultOf('targetModules', `there is no module ${JSON.stringify(name)}`));
  }
  const looked = targets.filter((module) => tables.test(module) || routers.test(module));
  if (looked.length > 0)
    faults.push(
      faultOf(
        'targetModules',
        `low-rank additions to ${looked.join(', ')} are not available; put it into modulesToSave to train it whole`,
      ),
    );
  if (targets.length === 0) faults.push(faultOf('targetModules', 'no module of this model fits'));
  if (faults.length > 0) {
    const names = [...new Set(projections.map((module) => module.split('.').at(-1)!))];
    const lines = faults.map(({ path, message }) => `  ${path}: ${message}`);
    throw new AdaptiveTrainerError(
      'CONFIG_INVALID',
      `The adapter's configuration does not fit the model:\n${lines.join('\n')}\nIts projections are ${names.join(', ')}.`,
      { details: { faults, projections: names } },
    );
  }
  return { targets: targets.map((module) => targetOf(module, config)), modulesToSave };
}

function targetRule(
  config: PeftConfig,
  modelType: unknown,
  projections: readonly string[],
): (module: string) => boolean {
  const { targetModules, layersToTransform } = config;
  if (typeof targetModules === 'string' && targetModules.toLowerCase() === 'all-linear')
    return (module) => projections.includes(module);
  const usual = typeof modelType === 'string' ? usualTargets[modelType] : undefined;
  if (targetModules === null && usual === undefined) {
    const names = [...new Set(projections.map((module) => module.split('.').at(-1)!))];
    const message = `Expected targetModules, since PEFT has no usual ones for ${String(modelType)}: "all-linear" or some of ${names.join(', ')}.`;
    const fault = { ...faultOf('targetModules', message), code: 'MISSING' } as const;
    throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
      details: { faults: [fault], projections: names },
    });
  }
  const isNamed = ruleOf(targetModules ?? usual!, 'targetModules');
  if (layersToTransform === null) return isNamed;
  const layerOf = (module: string) => Number(/\.(\d+)\./.exec(module)?.[1] ?? -1);
  return (module) => isNamed(module) && layersToTransform.includes(layerOf(module));
}

/** A whole name or its end for a list, a match of the whole for an expression. */
function ruleOf(wanted: string | readonly string[], key: string): (module: string) => boolean {
  if (typeof wanted !== 'string')
    return (module) => wanted.some((name) => module === name || module.endsWith(`.${name}`));
  const expression = compiled(`^(?:${wanted})$`, wanted, key);
  return (module) => expression.test(module);
}

function targetOf(module: string, config: PeftConfig): AdapterRequest['targets'][number] {
  const rank = patterned(config.rankPattern, module, 'rankPattern') ?? config.r;
  const alpha = patterned(config.alphaPattern, module, 'alphaPattern') ?? config.loraAlpha;
  const scale = alpha / (config.useRslora ? Math.sqrt(rank) : rank);
  return { module, rank, scale, dropout: config.loraDropout, magnitude: config.useDora };
}

function patterned(patterns: Record<string, number>, module: string, key: string): number | undefined {
  return Object.entries(patterns).find(([pattern]) =>
    compiled(`^(?:.*\\.)?(?:${pattern})$`, pattern, key).test(module),
  )?.[1];
}

function compiled(source: string, written: string, key: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    const message = `Expected a regular expression for ${key}, found ${JSON.stringify(written)}: ${(cause as Error).message}.`;
    throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
      details: { faults: [faultOf(key, message)] },
      cause,
    });
  }
}

function faultOf(key: string, message: string): ConfigFault {
  return { path: `peftConfig.${key}`, code: 'INVALID', message };
}
