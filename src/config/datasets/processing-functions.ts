import type { ConfigReader } from '../read/config-reader.js';
import type { DataProcessingFunction } from './datasets-config.js';
import { describeValue } from '../../common/describe-value.js';
import { fileFunction } from './file-function.js';
import { configPath } from '../read/config-path.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { findDatasetKey } from './find-dataset-key.js';
import { learningStyles, type LearningStyle } from '../../events/learning-style.js';

const isModule = /\.[cm]?[jt]s(#[^#]*)?$/;

type FunctionOrNull = DataProcessingFunction | null;

/** The data processing functions of a configuration, by dataset, by style, and the one for all. */
export class ProcessingFunctions {
  private readonly byOwner: Record<string, FunctionOrNull> = {};
  private common: FunctionOrNull = null;

  constructor(private readonly reader: ConfigReader) {}

  /** Takes a key of `datasetsConfig` if it gives a function; false if it is something else. */
  take(key: string, value: unknown, path: string): boolean {
    if (key === 'dataProcessingFunctions' || key === 'data_processing_functions') {
      if (!isPlainObject(value))
        this.reader.unexpected(path, 'an object of functions by dataset or style', value);
      else for (const [owner, one] of Object.entries(value)) this.set(owner, one, configPath(path, owner));
      return true;
    }
    const owner = ownerOf(key);
    if (owner === undefined) return false;
    this.set(owner, value, path);
    return true;
  }

  private set(owner: string, value: unknown, path: string): void {
    if (value === undefined) return;
    if (typeof value === 'string' && isModule.test(value)) {
      this.set(owner, fileFunction(value), path);
    } else if (value !== null && typeof value !== 'function') {
      this.reader.faults.push({
        path,
        code: 'INVALID',
        message: `expected a function, one in a file ("./rows.mjs#toPair") or null, received ${describeValue(value)}`,
      });
    } else if (owner === '') {
      this.common = value as FunctionOrNull;
    } else {
      this.byOwner[owner] = value as FunctionOrNull;
    }
  }

  /** The function for a dataset: its own, else its style's, else the common one. An explicit null ends the search. */
  find(entry: string, style: LearningStyle): FunctionOrNull {
    const key =
      findDatasetKey(this.byOwner, entry, () => true) ?? (style in this.byOwner ? style : undefined);
    return key === undefined ? this.common : (this.byOwner[key] ?? null);
  }

  /** Names of datasets that have a function of their own. */
  get datasets(): string[] {
    return Object.keys(this.byOwner).filter(
      (owner) => !(learningStyles as readonly string[]).includes(owner),
    );
  }
}

/** What a key's function is for: a dataset or style, the empty string for all, undefined if it gives none. */
function ownerOf(key: string): string | undefined {
  if (key === 'dataProcessingFunction' || key === 'data_processing_function') return '';
  const match = /^(?:data_processing_function_|dataProcessingFunction_)(.+)$/s.exec(key);
  if (match) return match[1];
  return learningStyles.find(
    (style) => key === `dataProcessingFunction${style.charAt(0).toUpperCase()}${style.slice(1)}`,
  );
}
