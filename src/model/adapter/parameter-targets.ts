import type { ConfigFault } from '../../common/config-fault.js';
import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { AdapterRequest } from '../../engine/addon.js';
import { embeddings, head, isMatrix, targetOf, type AdaptedModel, type Named } from './low-rank-target.js';
import { endsWithModule, faultOf } from './module-patterns.js';
import { isTakenOut } from './plain-adapter.js';

/**
 * The weights of `targetParameters`; what does not fit the model is added to the faults.
 * @param targets modules that are added to already
 */
export function parameterTargets(
  config: PeftConfig,
  model: AdaptedModel,
  targets: readonly string[],
  isStored: boolean,
  faults: ConfigFault[],
): AdapterRequest['targets'] {
  const wanted = config.targetParameters ?? [];
  const fault = (message: string) => void faults.push(faultOf('targetParameters', message));
  const { tiedHead, parameters: own } = model;
  // A head that is tied is a weight of its own to PEFT.
  const parameters = tiedHead ? [...own, { ...own[0]!, name: `${head}.weight` }] : own;
  const found = parameters.filter(({ name }) => wanted.some((one) => endsWithModule(name, one)));
  for (const one of isStored ? [] : wanted)
    if (!parameters.some(({ name }) => endsWithModule(name, one)))
      fault(`there is no weight ${JSON.stringify(one)}`);
  const isOfExperts = ({ shape }: Named) => shape.length === 3;
  const available = found.filter((one) => isMatrix(one) || isOfExperts(one));
  for (const { name } of found.filter((one) => !available.includes(one)))
    fault(`low-rank additions to ${name}, which is no matrix of a projection, are not available`);
  if (found.length === 0) return [];
  const experts = found.some(isOfExperts)
    ? '; targetModules of attention alone, q_proj and the like, leaves experts out'
    : '';
  if (config.loraDropout > 0) fault(`it goes with loraDropout 0 alone${experts}`);
  if (config.useDora) fault(`it does not go with useDora${experts}`);
  if (isTakenOut(config) && found.some(isOfExperts))
    fault(`weights of experts go with initLoraWeights true or "gaussian" alone${experts}`);
  return available.map((weight) => {
    const { name } = weight;
    if (isOfExperts(weight)) return { ...targetOf(name, config), form: 'experts' } as const;
    const module = name.replace(/\.weight$/, '');
    if (targets.includes(module))
      fault(`${module} is in targetModules too; leave one out, or give targetModules: []`);
    // PEFT compares its patterns with the name of the weight.
    const form = model.transposed && !embeddings.test(module) && module !== head ? 'stored' : 'linear';
    return { ...targetOf(name, config), module, form } as const;
  });
}
