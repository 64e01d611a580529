import { isPlainObject } from '../../common/is-plain-object.js';

/**
 * Whether a configuration is written in snake_case, so that names it lacks can be shown in its own spelling. Looks at
 * the keys of the object and of the objects in it, of which the majority decides.
 */
export function writesSnakeCase(config: unknown): boolean {
  if (!isPlainObject(config)) return false;
  const keys = [config, ...Object.values(config).filter(isPlainObject)].flatMap((object) =>
    Object.keys(object),
  );
  const snake = keys.filter((key) => /^[a-z\d]+(_[a-z\d]+)+$/.test(key)).length;
  const camel = keys.filter((key) => /^[a-z\d]+([A-Z][a-z\d]*)+$/.test(key)).length;
  return snake > camel;
}
