import { isDeepStrictEqual } from 'node:util';
import { configPath } from '../read/config-path.js';
import { asParsed, asParsedWhole } from '../read/parsed.js';
import type { ConfigReader, GivenKeys } from '../read/config-reader.js';
import { datasetName } from './dataset-name.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { suggest } from '../../common/suggest.js';
import type { InMemoryDataset } from './datasets-config.js';
import type { DatasetPlan } from './dataset-plan.js';
import { findDatasetKey } from './find-dataset-key.js';
import { learningStyles, type LearningStyle } from '../../events/learning-style.js';
import { ProcessingFunctions } from './processing-functions.js';
import { readDatasetKwargs, type DatasetKwargs } from './read-dataset-kwargs.js';

export const datasetTables = ['systemPrompts', 'datasetsKwargs', 'datasetSpecificSystemPrompts'] as const;

/** An entry of a list of datasets, and where in the configuration it stands. */
export interface ListedEntry {
  value: unknown;
  path: string;
}

/**
 * Reads `datasetsConfig` and the tables beside it (which may also stand in it) into one plan per dataset that has no fault.
 * Faults and entries without effect go to `reader`.
 */
export function readPlans(reader: ConfigReader, config: GivenKeys): DatasetPlan[] {
  const planner = new Planner(reader, config);
  const plans = planner.read();
  planner.warnOfUnused();
  return plans;
}

/** The same in parts, for a configuration that lists datasets elsewhere, too. */
export class Planner {
  private readonly functions: ProcessingFunctions;
  private readonly tables: Record<(typeof datasetTables)[number], Record<string, unknown>>;
  /** The keys of `datasetsConfig` itself. */
  private inside: GivenKeys = new Map();
  private readonly entries: string[] = [];
  /** Of each entry. */
  private readonly styles: LearningStyle[] = [];

  constructor(
    private readonly reader: ConfigReader,
    private readonly config: GivenKeys,
  ) {
    this.functions = new ProcessingFunctions(reader);
    const [systemPrompts, datasetsKwargs, datasetSpecificSystemPrompts] = datasetTables.map((name) =>
      this.table(config.get(name)),
    );
    this.tables = {
      systemPrompts: systemPrompts!,
      datasetsKwargs: datasetsKwargs!,
      datasetSpecificSystemPrompts: datasetSpecificSystemPrompts!,
    };
  }

  read(): DatasetPlan[] {
    const { reader } = this;
    const list = this.config.get('datasetsConfig');
    const path = this.pathOf('datasetsConfig');
    if (!isPlainObject(list?.value)) {
      reader.unexpected(path, 'an object that lists datasets by learning style', list?.value);
      return [];
    }
    const before = reader.faults.length;
    const given = reader.keys(list.value, path, [...learningStyles, ...datasetTables], (key, value, at) =>
      this.functions.take(key, value, at),
    );
    this.inside = given;
    for (const name of datasetTables) {
      this.tables[name] = { ...this.table(given.get(name)), ...this.tables[name] };
    }
    this.checkPrompts();
    const plans = learningStyles.flatMap((style) => {
      const entries = given.get(style);
      const isListed = entries !== undefined && entries.value !== null;
      return isListed ? this.readStyle(style, entries.value, entries.path) : [];
    });
    if (plans.length === 0 && reader.faults.length === before) {
      const message = 'expected at least one dataset under ideas, attention, both or misc, received none';
      reader.faults.push({ path, code: 'INVALID', message });
    }
    return plans;
  }

  private table(given: { value: unknown; path: string } | undefined): Record<string, unknown> {
    if (given === undefined || given.value === null) return {};
    if (isPlainObject(given.value)) return given.value;
    this.reader.unexpected(given.path, 'an object', given.value);
    return {};
  }

  private pathOf(name: string): string {
    return this.config.get(name)?.path ?? this.reader.spell(name);
  }

  /** Where an entry of a table stands: beside `datasetsConfig` or in it. */
  private pathIn(table: (typeof datasetTables)[number], key: string): string {
    const beside = this.config.get(table);
    const isBeside = isPlainObject(beside?.value) && Object.hasOwn(beside.value, key);
    const inside = isBeside ? undefined : this.inside.get(table)?.path;
    return configPath(inside ?? this.pathOf(table), key);
  }

  private checkPrompts(): void {
    for (const table of ['systemPrompts', 'datasetSpecificSystemPrompts'] as const) {
      for (const [name, prompt] of Object.entries(this.tables[table])) {
        const path = this.pathIn(table, name);
        if (table === 'systemPrompts' && !(learningStyles as readonly string[]).includes(name)) {
          this.reader.unknownKey(path, name, learningStyles);
        } else if (prompt !== null && prompt !== undefined && typeof prompt !== 'string') {
          this.reader.unexpected(path, 'a string', prompt);
        }
      }
    }
  }

  private readStyle(style: LearningStyle, list: unknown, path: string): DatasetPlan[] {
    if (!Array.isArray(list)) {
      this.reader.unexpected(path, 'an array of datasets', list);
      return [];
    }
    return this.readList(
      style,
      Array.from(list as unknown[], (value, index) => ({ value, path: configPath(path, index) })),
    );
  }

  /** The plans of datasets that are listed together. */
  readList(style: LearningStyle, entries: readonly ListedEntry[]): DatasetPlan[] {
    const plans: DatasetPlan[] = [];
    for (const { value, path } of entries) {
      const plan = this.readEntry(style, value, path);
      if (plan === undefined) continue;
      const twin = plans.find((other) => isSameData(plan, other));
      if (twin !== undefined) {
        const message =
          `expected each dataset once in a style, received "${plan.name}" as ${twin.path} too; remove one, or give each ` +
          'another split or number of rows';
        this.reader.faults.push({ path: plan.path, code: 'CONTRADICTION', message });
      }
      plans.push(plan);
    }
    const isAlone = ({ name }: DatasetPlan) => plans.filter((plan) => plan.name === name).length === 1;
    return plans.map((plan) => (isAlone(plan) ? plan : asParsed({ ...plan, label: labelOf(plan) })));
  }

  private readEntry(style: LearningStyle, value: unknown, path: string): DatasetPlan | undefined {
    const entry = readEntryShape(value);
    if (entry === undefined) {
      const expected = 'a path, { dataset: a path, … its settings }, or { name, train: rows, eval?: rows }';
      this.reader.unexpected(path, expected, value ?? null);
      return undefined;
    }
    const { written, settings } = entry;
    const { name, rows } = datasetName(written);
    if (rows !== undefined && (name === '' || !/^[1-9]\d*$/.test(rows))) {
      this.reader.unexpected(path, 'a dataset and after ":|:" a whole number of rows, 1 or more', written);
      return undefined;
    }
    this.entries.push(written);
    this.styles.push(style);
    const { contextMode, ...kwargs } =
      settings === null ? this.kwargs(written) : readDatasetKwargs(this.reader, settings, path);
    return asParsed({
      name,
      label: name,
      style,
      path,
      memory: entry.memory,
      ...kwargs,
      location: asParsedWhole(kwargs.location),
      limit: rows === undefined ? null : Number(rows),
      process: this.functions.find(written, style),
      // The two style names ask "is this dataset learned that way?"; anything else is the function's own business.
      contextMode:
        contextMode === 'ideas' || contextMode === 'attention' ? contextMode === style : contextMode,
      systemPrompt: this.systemPrompt(written, style),
    });
  }

  private kwargs(written: string): DatasetKwargs {
    const table = this.tables.datasetsKwargs;
    const key = findDatasetKey(table, written);
    return readDatasetKwargs(
      this.reader,
      key === undefined ? null : table[key],
      this.pathIn('datasetsKwargs', key ?? written),
    );
  }

  private systemPrompt(written: string, style: LearningStyle): string {
    const specific = this.tables.datasetSpecificSystemPrompts;
    const key = findDatasetKey(specific, written);
    const parts = [this.tables.systemPrompts[style], key === undefined ? null : specific[key]];
    const prompt = parts.filter((part) => typeof part === 'string').join('');
    return prompt.trim() === '' ? '' : prompt;
  }

  /** Entries for datasets that are not listed: most likely a misspelt name. */
  warnOfUnused(): void {
    for (const message of [...this.unused(), ...this.unusedPrompts()]) {
      this.reader.warnings.push({ code: 'DATASET_ENTRY_UNUSED', message });
    }
  }

  /** Prompts for other styles than those of the datasets, where none is for one of these. */
  private unusedPrompts(): string[] {
    const isPrompt = (prompt: unknown) => typeof prompt === 'string' && prompt.trim() !== '';
    const given = Object.entries(this.tables.systemPrompts).filter(([, prompt]) => isPrompt(prompt));
    const used: readonly string[] = this.styles;
    if (given.length === 0 || used.length === 0 || given.some(([style]) => used.includes(style))) return [];
    const styles = (names: readonly string[]) => [...new Set(names)].join(', ');
    return [
      `${this.reader.spell('systemPrompts')} has prompts for ${styles(given.map(([style]) => style))} alone, and the datasets are listed under ${styles(used)}, so they have no effect.`,
    ];
  }

  private unused(): string[] {
    const names = new Set(this.entries.map((entry) => datasetName(entry).name));
    const known = [...names];
    const uses = [
      ...Object.keys(this.tables.datasetsKwargs).map((key) => ['datasetsKwargs', key] as const),
      ...Object.keys(this.tables.datasetSpecificSystemPrompts).map(
        (key) => ['datasetSpecificSystemPrompts', key] as const,
      ),
      ...this.functions.datasets.map((key) => ['dataProcessingFunction', key] as const),
    ];
    return uses
      .filter(([, key]) => !names.has(datasetName(key).name))
      .map(([table, key]) => {
        const near = suggest(key, known);
        const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
        return `${this.reader.spell(table)} has an entry for ${JSON.stringify(key)}, which is no dataset here, so it has no effect.${hint}`;
      });
  }
}

function isSameData(one: DatasetPlan, other: DatasetPlan): boolean {
  const { name, limit, memory, location } = one;
  const isSame = name === other.name && limit === other.limit && memory === other.memory;
  return isSame && isDeepStrictEqual(location, other.location);
}

/** `data.jsonl (fr, test, :|:500)` */
function labelOf({ name, limit, location }: DatasetPlan): string {
  const { configName, trainSplit, dataDir, revision, dataFiles } = location;
  const files = dataFiles === null ? null : Object.values(dataFiles).flat().join(' ');
  const rows = limit === null ? null : `:|:${limit}`;
  const parts = [configName, trainSplit === 'train' ? null : trainSplit, dataDir, files, revision, rows];
  const told = parts.filter((part) => part !== null);
  return told.length === 0 ? name : `${name} (${told.join(', ')})`;
}

interface EntryShape {
  /** The name, with its `:|:K`. */
  written: string;
  memory: InMemoryDataset | null;
  /** Those that stand beside the name; null: those of `datasetsKwargs`. */
  settings: Record<string, unknown> | null;
}

function readEntryShape(value: unknown): EntryShape | undefined {
  if (typeof value === 'string')
    return value.trim() === '' ? undefined : { written: value, memory: null, settings: null };
  if (!isPlainObject(value)) return undefined;
  const { dataset, ...settings } = value;
  if (typeof dataset === 'string' && dataset.trim() !== '')
    return { written: dataset, memory: null, settings: Object.keys(settings).length === 0 ? null : settings };
  const { name, train, eval: evaluated, ...rest } = value as Partial<InMemoryDataset>;
  const isList = (rows: unknown) => rows === undefined || rows === null || Array.isArray(rows);
  const isEntry = typeof name === 'string' && name !== '' && Array.isArray(train) && isList(evaluated);
  if (!isEntry || Object.keys(rest).length > 0) return undefined;
  return { written: name, memory: value as unknown as InMemoryDataset, settings: null };
}
