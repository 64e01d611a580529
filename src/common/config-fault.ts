/** One thing that is wrong with a configuration. */
export interface ConfigFault {
  /** Where, in the spelling the user used: `training_config.batch_size`. Empty for the configuration itself. */
  path: string;
  /**
   * - `INVALID`: a value of the wrong type or out of range
   * - `MISSING`: a required key is absent
   * - `UNKNOWN_KEY`: no such key here
   * - `SPELLED_TWICE`: one key in camelCase and in snake_case, with different values
   * - `NOT_AVAILABLE`: known, but not available yet
   * - `CONTRADICTION`: values that are fine alone and exclude each other
   */
  code: 'INVALID' | 'MISSING' | 'UNKNOWN_KEY' | 'SPELLED_TWICE' | 'NOT_AVAILABLE' | 'CONTRADICTION';
  /** The whole fault in words, without the path: `expected …, received …`. */
  message: string;
  /** For an unknown key: the known key it most resembles, spelled the user's way. */
  suggestion?: string;
}
