import type { SnakeCase } from './snake-case.js';

/** The keys of `Config` in camelCase, in the snake_case of the Python package, or some of each. */
export type BothSpellings<Config> = Config & {
  [Key in keyof Config as SnakeCase<Key & string>]?: Config[Key];
};
