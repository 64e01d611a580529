import { resolve } from 'node:path';
import { importModule } from '../../common/import-module.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { DataProcessingFunction } from './datasets-config.js';

const loaders = new WeakMap<DataProcessingFunction, () => Promise<DataProcessingFunction>>();

/**
 * The data processing function that a configuration names as `./rows.mjs#toPair`: an export of a JavaScript or TypeScript module,
 * the default one without `#`. It is loaded when it is first called. Relative paths start at the current directory.
 */
export function fileFunction(spec: string): DataProcessingFunction {
  let loaded: Promise<DataProcessingFunction> | undefined;
  const load = () => (loaded ??= importFunction(spec));
  const call: DataProcessingFunction = async (sample, contextMode) => (await load())(sample, contextMode);
  loaders.set(call, load);
  return call;
}

/** Whether a function is one that a configuration names. */
export function isFromFile(process: DataProcessingFunction): boolean {
  return loaders.has(process);
}

/** Loads a function that a configuration names, so that what is wrong with it is known before any row is read. */
export async function loadFileFunction(process: DataProcessingFunction | null): Promise<void> {
  if (process !== null) await loaders.get(process)?.();
}

async function importFunction(spec: string): Promise<DataProcessingFunction> {
  const at = spec.lastIndexOf('#');
  const [file, name] = at < 0 ? [spec, 'default'] : [spec.slice(0, at), spec.slice(at + 1)];
  const path = resolve(file);
  let module: Record<string, unknown>;
  try {
    module = await importModule(path);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw invalid(spec, `cannot be loaded: ${said}`, path, cause);
  }
  const found = module[name];
  if (typeof found === 'function') return found as DataProcessingFunction;
  const exported = Object.keys(module).join(', ') || 'nothing';
  throw invalid(spec, `has no function "${name}"; it exports: ${exported}`, path);
}

function invalid(spec: string, found: string, path: string, cause?: unknown): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'CONFIG_INVALID',
    `Expected a data processing function at ${JSON.stringify(spec)} but ${path} ${found}. Name a JavaScript or TypeScript ` +
      `module and one of its exports: "./rows.mjs#toPair".`,
    {
      details: { file: path, faults: [{ path: 'dataProcessingFunction', code: 'INVALID', message: found }] },
      cause,
    },
  );
}
