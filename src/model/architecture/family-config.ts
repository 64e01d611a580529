import { configKeys } from './config-keys.js';
import { ropeKeys, type Family, type Json } from './families.js';

/**
 * What transformers takes from config.json for a family, under the names read here: the fields of its configuration class,
 * with their defaults, and the few keys that it reads beside. Keys of other families are not there.
 */
export function familyConfig(config: Json, family: Family): Json {
  const fields = configKeys[String(config['model_type'])]!;
  const taken: Json = {};
  for (const [key, [, fallback]] of Object.entries(fields))
    taken[key] = key in config ? config[key] : fallback;
  for (const key of family.beside ?? ropeKeys) if (key in config) taken[key] = config[key];
  for (const [name, own] of Object.entries(family.ownNames ?? {}))
    taken[name] = family.aliases?.includes(name) && name in config ? config[name] : taken[own];
  return taken;
}
