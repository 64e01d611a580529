import { parseArgs } from 'node:util';
import { settingHelp } from './setting.js';

export interface Options {
  families: string[];
  /** Empty: those of the family. */
  settings: string[];
  seeds: number;
  /** Of the data; 1 is what is reported. */
  scale: number;
  csv: string;
  /** Folder for models that are made on the way. */
  out: string;
  /** Of the engine; null: one per core. On a busy machine several runs of one thread each take turns better. */
  threads: number | null;
  print: boolean;
}

export const usage = `npm run bench:learning -- --family <name> [options]

  --family <name>     concepts, facts, style, noise-20, noise-40, many, or all; may be given several times
  --setting <words>   a setting to measure, may be given several times (default: those that the family lists)
  --seeds <n>         runs of each setting, which differ in the order of the rows (default 1)
  --scale <share>     size of the data: 1 (default), or less for a quick look
  --csv <file>        where results go (default bench/learning.csv)
  --out <folder>      where models go that are made on the way (default build/bench-learning)
  --threads <n>       of the engine (default one per core)
  --print             show what was measured, measure nothing

${settingHelp}`;

/** The command line. */
export function readOptions(args: string[], known: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      family: { ...text, multiple: true },
      setting: { ...text, multiple: true },
      seeds: { ...text, default: '1' },
      scale: { ...text, default: '1' },
      csv: { ...text, default: 'bench/learning.csv' },
      out: { ...text, default: 'build/bench-learning' },
      threads: text,
      print: { type: 'boolean', default: false },
    },
  });
  const named = values.family?.includes('all') ? [...known] : (values.family ?? []);
  const unknown = named.filter((name) => !known.includes(name));
  const [seeds, scale] = [Number(values.seeds), Number(values.scale)];
  const isRight = Number.isSafeInteger(seeds) && seeds >= 1 && scale > 0 && scale <= 1;
  if (named.length === 0 || unknown.length > 0 || !isRight)
    throw new Error(`Expected a family, seeds and a scale, received: ${args.join(' ')}\n\n${usage}`);
  const { csv, out, print } = values;
  const threads = values.threads === undefined ? null : Number(values.threads);
  return { families: named, settings: values.setting ?? [], seeds, scale, csv, out, threads, print };
}
