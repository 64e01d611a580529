import { applySettings } from '../config/read/apply-settings.js';
import type { ConfigOptions } from './command.js';
import { readConfigFile } from './read-config-file.js';

/** Reads the configuration that a command was given, with what `--set` changes in it. */
export async function readConfig(file: string, { set = [] }: ConfigOptions): Promise<unknown> {
  return applySettings(await readConfigFile(file), set);
}
