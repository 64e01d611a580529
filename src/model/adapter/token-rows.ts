import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { ConfigFault } from '../../common/config-fault.js';
import type { AdapterRequest } from '../../engine/addon.js';
import { endsWithModule, faultOf } from './module-patterns.js';

interface Tables {
  parameters: readonly { name: string; shape: readonly number[] }[];
  tiedHead: boolean;
  targets: readonly string[];
  modulesToSave: readonly string[];
}

/** The rows that `trainableTokenIndices` names; what does not fit the model is added to the faults. */
export function tokenRowsOf(
  config: PeftConfig,
  model: Tables,
  faults: ConfigFault[],
): AdapterRequest['tokenRows'] {
  const given = config.trainableTokenIndices;
  if (given === null) return [];
  const fault = (message: string) => void faults.push(faultOf('trainableTokenIndices', message));
  const embedding = model.parameters[0]!;
  const embeddingModule = embedding.name.replace(/\.weight$/, '');
  const byName = Array.isArray(given) ? { [embeddingModule]: given } : given;
  const rows: { module: string; ids: number[] }[] = [];
  for (const [name, ids] of Object.entries(byName)) {
    const tables = model.parameters.filter(({ name: weight }) =>
      /(^|\.)(embed_tokens|embed_in|wte|wpe|lm_head)\.weight$/.test(weight),
    );
    const found = tables.find(({ name: weight }) => endsWithModule(weight, `${name}.weight`));
    const isTiedHead = found === undefined && model.tiedHead && name === 'lm_head';
    if (found === undefined && !isTiedHead) {
      fault(`there is no table ${JSON.stringify(name)}`);
      continue;
    }
    const { shape } = found ?? embedding;
    const beyond = ids.find((id) => id >= shape[0]!);
    if (beyond !== undefined) fault(`token ${beyond} is beyond the ${shape[0]} of ${name}`);
    if (ids.length > 0) rows.push({ module: found?.name.replace(/\.weight$/, '') ?? 'lm_head', ids });
  }
  for (const { module } of rows) {
    const isHead = model.tiedHead && (module === embeddingModule || module === 'lm_head');
    const others = isHead ? [module, 'lm_head', embeddingModule] : [module];
    if (model.modulesToSave.some((one) => others.includes(one)))
      fault(`${module} is trained whole by modulesToSave; name it in one of the two`);
    if (module !== 'lm_head' && model.targets.includes(module))
      fault(`${module} is in targetModules too; name it in one of the two`);
  }
  return tiedOnce(rows, model.tiedHead, embeddingModule).map(({ module, ids }) => ({
    module,
    ids: Int32Array.from(ids),
  }));
}

/** The same rows of a tied head are those of the embedding. Others take it off the embedding, which then has its own. */
function tiedOnce(rows: { module: string; ids: number[] }[], tiedHead: boolean, embedding: string) {
  const own = rows.find(({ module }) => module === embedding);
  const head = rows.find(({ module }) => module === 'lm_head');
  if (!tiedHead || own === undefined || head === undefined) return rows;
  const same = [...own.ids].sort().join() === [...head.ids].sort().join();
  return same ? rows.filter((one) => one !== head) : rows;
}
