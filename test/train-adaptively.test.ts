import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../src/config/read/parse-config.js';
import type { TrainAdaptivelyOptions } from '../src/config/schema/train-adaptively-options.js';
import { loadAddon } from '../src/engine/load/load-addon.js';
import { CausalLM } from '../src/model/causal-lm.js';
import { Tokenizer } from '../src/tokenizer/tokenizer.js';
import type { EndEvent, TrainingEvent } from '../src/events/training-event.js';
import type { Tracker } from '../src/events/tracker.js';
import { AdaptiveTrainer } from '../src/trainer/adaptive-trainer.js';
import type { TokenStatisticsArrays } from '../src/trainer/step/token-statistics.js';
import { trainAdaptively } from '../src/train-adaptively.js';
import { readSafetensors } from './helpers/read-safetensors.js';
import { tempDir } from './helpers/temp-dir.js';
import { writeTinyModel } from './helpers/tiny-model.js';
import { seedDir } from './tokenizer/open-tokenizer.js';

const tokens = 4096; // of the example tokenizer
const train = Array.from({ length: 24 }, (_, i) => ({ question: `${i} plus 1?`, answer: `${i + 1}.` }));
const embedding = 'model.embed_tokens.weight';

let folder: string;
beforeEach(() => void (folder = tempDir()));

/** A random model with the example tokenizer, changed. */
function model(config: object = {}, tokenizer: object = {}): string {
  const dir = writeTinyModel(join(folder, 'model'), { vocab_size: tokens, ...config });
  for (const name of ['tokenizer.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(dir, name));
  const own = JSON.parse(readFileSync(join(seedDir, 'tokenizer_config.json'), 'utf8')) as object;
  writeFileSync(join(dir, 'tokenizer_config.json'), JSON.stringify({ ...own, ...tokenizer }));
  return dir;
}

interface Run {
  path: string;
  events: TrainingEvent[];
  warnings: string[];
}

async function run(modelName: string, training: object = {}, outputDir = join(folder, 'out')): Promise<Run> {
  const events: TrainingEvent[] = [];
  const options = {
    modelName,
    outputDir,
    datasetsConfig: { ideas: [{ name: 'sums', train, eval: [] }] },
    training_config: {
      max_steps: 2,
      batch_size: 2,
      gradient_accumulation_steps: 1,
      learning_rate: 1e-3,
      warmup_steps: 0,
      fp16: false,
      use_wandb: false,
      eval_strategy: 'no',
      save_steps: 1,
      ...training,
    },
  };
  const path = await trainAdaptively(parseConfig(options), {
    progress: false,
    onEvent: (event) => void events.push(event),
  });
  const warnings = events.filter((event) => event.type === 'warning').map(({ code }) => code);
  return { path, events, warnings };
}

const configOf = (dir: string) =>
  JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>;
const weightsOf = (dir: string) => readSafetensors(join(dir, 'model.safetensors'));
const noPad = { pad_token: null };

it('trains with the default precision, and warns of nothing that was not asked for', async () => {
  const { events, warnings } = await run(model(), { fp16: undefined });
  expect(warnings).toEqual([]);
  const dtype = loadAddon().bfloat16Instructions ? 'bfloat16' : 'float32';
  expect(events.find((event) => event.type === 'start')).toMatchObject({ dtype });
});

describe('a configuration', () => {
  it('is read once, whatever is made with it', async () => {
    const reads = new Map<string, number>();
    const counted = (name: string, value: object) =>
      new Proxy(value, {
        get(target, key, receiver) {
          if (typeof key === 'string' && key in target)
            reads.set(`${name}.${key}`, (reads.get(`${name}.${key}`) ?? 0) + 1);
          return Reflect.get(target, key, receiver);
        },
      });
    const input = {
      modelName: model(),
      outputDir: join(folder, 'out'),
      datasetsConfig: counted('datasetsConfig', { ideas: [{ name: 'sums', train, eval: [] }] }),
      trainingConfig: counted('trainingConfig', { maxSteps: 1, batchSize: 2, fp16: false, loggingSteps: 1 }),
      adaptiveLossConfig: counted('adaptiveLossConfig', { topK: 4 }),
      peftConfig: counted('peftConfig', { r: 2 }),
    };
    await trainAdaptively(input as TrainAdaptivelyOptions, { progress: false });
    const training = ['maxSteps', 'batchSize', 'fp16', 'loggingSteps'].map((key) => `trainingConfig.${key}`);
    const once = [...training, 'adaptiveLossConfig.topK', 'peftConfig.r'];
    expect(Object.fromEntries(reads)).toEqual({
      ...Object.fromEntries(once.map((name) => [name, 1])),
      'datasetsConfig.ideas': 2, // once to read it, once to tell it in the start event as it was written
    });
  });

  it('warns once of each thing, to the one who watches and to metrics.jsonl', async () => {
    vi.stubEnv('HF_TOKEN', '');
    vi.stubEnv('HF_HOME', folder);
    try {
      const events: TrainingEvent[] = [];
      const outputDir = join(folder, 'out');
      const options: TrainAdaptivelyOptions = {
        modelName: model({}, noPad),
        outputDir,
        huggingfaceRepo: 'me/mine',
        datasetsConfig: { ideas: [{ name: 'sums', train: train.slice(0, 8) }] },
        datasetsKwargs: { sum: {} },
        trainingConfig: {
          maxSteps: 1,
          batchSize: 2,
          warmupSteps: 0,
          precision: 'fp32',
          evalStrategy: 'no',
          saveStrategy: 'no',
        },
      };
      await trainAdaptively(options, {
        progress: false,
        onEvent: (event) => void events.push(event),
      });
      const codes = (all: readonly TrainingEvent[]) =>
        all
          .filter((event) => event.type === 'warning')
          .map(({ code }) => code)
          .sort();
      const lines = readFileSync(join(outputDir, 'metrics.jsonl'), 'utf8').trim().split('\n');
      const written = lines.map((line) => JSON.parse(line) as TrainingEvent);
      const expected = ['DATASET', 'DATASET_ENTRY_UNUSED', 'NOTHING_UPLOADED', 'VOCABULARY_RESIZED'];
      expect(codes(events)).toEqual(expected);
      expect(codes(written)).toEqual(expected);
      // A reader of the file meets the start first.
      expect(written.findIndex(({ type }) => type === 'warning')).toBeGreaterThan(
        written.findIndex(({ type }) => type === 'start'),
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('what is given beside the configuration', () => {
  const options = (): TrainAdaptivelyOptions => ({
    modelName: model(),
    datasetsConfig: { ideas: [{ name: 'sums', train, eval: [] }] },
    trainingConfig: {
      outputDir: join(folder, 'out'),
      maxSteps: 2,
      batchSize: 2,
      precision: 'fp32',
      evalStrategy: 'no',
      saveStrategy: 'no',
      warmupSteps: 0,
      overwriteOutputDir: true,
    },
  });

  it('are trackers, callbacks and the class that trains', async () => {
    class FocalTrainer extends AdaptiveTrainer {
      static weighed = 0;
      protected override tokenWeights({ confidence }: TokenStatisticsArrays): Float32Array {
        FocalTrainer.weighed += confidence.length;
        return confidence.map((p) => (1 - p) ** 2);
      }
    }
    const heard: string[] = [];
    const tracker: Tracker = {
      onEvent: ({ type }) => void heard.push(type),
      close: async () => void heard.push('closed'),
    };
    const ended: string[] = [];
    const callbacks = [{ onEnd: ({ path }: EndEvent) => void ended.push(path) }];
    const path = await trainAdaptively(options(), {
      progress: false,
      trainer: FocalTrainer,
      trackers: [tracker],
      callbacks,
    });
    expect(FocalTrainer.weighed).toBeGreaterThan(0);
    expect(heard).toEqual(['datasets', 'samples', 'start', 'step', 'step', 'log', 'save', 'end', 'closed']);
    expect(ended).toEqual([path]);
    expect(path).toBe(join(folder, 'out', 'final_model')); // the outputDir of trainingConfig
  });

  it('shows the progress unless that is refused, whoever else is told', async () => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const events: TrainingEvent[] = [];
      await trainAdaptively(options(), { onEvent: (event) => void events.push(event) });
      expect(events.at(-1)?.type).toBe('end');
      expect(written.mock.calls.join('')).toContain('my_adaptive_run: 2 steps');
      written.mockClear();
      await trainAdaptively(options(), { progress: false });
      expect(written.mock.calls).toEqual([]);
    } finally {
      written.mockRestore();
    }
  });

  it('are closed, too, where the run does not begin', async () => {
    let closed = 0;
    const trackers = [{ onEvent: () => {}, close: async () => void closed++ }];
    const odd = { ...options(), modelName: join(folder, 'none') };
    await expect(trainAdaptively(odd, { progress: false, trackers })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    expect(closed).toBe(1);
  });

  it.each([['a string'], [class Other {}]])('are checked: %s trains nothing', async (trainer) => {
    await expect(trainAdaptively(options(), { trainer: trainer as never })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('trainer'),
    });
  });
});

describe('a folder with a configuration and a tokenizer alone', () => {
  function withoutWeights(): string {
    const dir = model();
    rmSync(join(dir, 'model.safetensors'));
    return dir;
  }

  it('is trained from new weights, those of the seed, where that is asked for', async () => {
    const dir = withoutWeights();
    const settings = { from_scratch: true, seed: 5, learning_rate: 0 };
    const { path } = await run(dir, settings);
    const fresh = await CausalLM.fromConfig(dir, { seed: 5 });
    const trained = await CausalLM.fromPretrained(path);
    const rows = [[5, 6, 7]];
    expect((await trained.logits(rows)).data).toEqual((await fresh.logits(rows)).data);
    for (const one of [fresh, trained]) one.dispose();
  });

  it('is an error otherwise, which names the key', async () => {
    await expect(run(withoutWeights())).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('trainingConfig.fromScratch') as string,
    });
  });

  it('takes no adapter', () => {
    const input = {
      modelName: 'm',
      outputDir: 'o',
      datasetsConfig: { ideas: ['d.jsonl'] },
      trainingConfig: { fromScratch: true },
      peftConfig: { r: 8 },
    };
    expect(() => parseConfig(input)).toThrow(/peftConfig: expected none with trainingConfig\.fromScratch/);
  });
});

describe('a tokenizer without a padding token', () => {
  it('gets one, and the model an embedding for it; both open again', async () => {
    const dir = model({}, noPad);
    const { path, warnings } = await run(dir);
    expect(warnings).toEqual(['VOCABULARY_RESIZED']);
    expect(configOf(path)).toMatchObject({ vocab_size: tokens + 1, pad_token_id: tokens });
    expect(weightsOf(path)[embedding]!.shape[0]).toBe(tokens + 1);
    expect(weightsOf(path)['lm_head.weight']!.shape[0]).toBe(tokens + 1);

    const [before, after] = [await Tokenizer.fromPretrained(dir), await Tokenizer.fromPretrained(path)];
    expect([after.padTokenId, after.vocabSize, after.tokenToId('<|pad|>')]).toEqual([
      tokens,
      tokens + 1,
      tokens,
    ]);
    const text = 'Two <|im_start|> and two';
    expect(after.encode(text)).toEqual(before.encode(text));

    const trained = await CausalLM.fromPretrained(path);
    expect((await trained.logits([[1, tokens, 3]])).shape).toEqual([3, tokens + 1]);
    trained.dispose();
    // Trained again it has one already.
    expect((await run(path, {}, join(folder, 'again'))).warnings).toEqual([]);
  });

  it('and goes on from a checkpoint to the same end', async () => {
    const dir = model({}, noPad);
    const whole = await run(dir, { max_steps: 3 });
    const first = join(folder, 'out', 'checkpoint-2');
    const resumed = await run(dir, { max_steps: 3, resume_from_checkpoint: first }, join(folder, 'resumed'));
    expect(weightsOf(resumed.path)).toEqual(weightsOf(whole.path));
  });

  it('keeps a vocabulary that has room', async () => {
    const { path, warnings } = await run(model({ vocab_size: tokens + 4 }, noPad));
    expect(warnings).toEqual([]);
    expect(configOf(path)).toMatchObject({ vocab_size: tokens + 4, pad_token_id: tokens });
    expect(weightsOf(path)[embedding]!.shape[0]).toBe(tokens + 4);
    expect((await Tokenizer.fromPretrained(path)).padTokenId).toBe(tokens);
  });

  it('uses the unknown token where there is one', async () => {
    const { path } = await run(model({}, { ...noPad, unk_token: '<|im_start|>' }));
    const { padTokenId, vocabSize } = await Tokenizer.fromPretrained(path);
    expect(vocabSize).toBe(tokens);
    expect(configOf(path)).toMatchObject({ vocab_size: tokens, pad_token_id: padTokenId });
  });

  const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
  it.skipIf(!python)(
    `opens in Python${python ? '' : ' (skipped: ADAPTIVE_TRAINER_PYTHON is not set)'}`,
    async () => {
      const { path } = await run(model({}, noPad));
      const program =
        'import sys, json, torch; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T\n' +
        'm, t = M.from_pretrained(sys.argv[1]), T.from_pretrained(sys.argv[1])\n' +
        'ids = t("a<|pad|>b")["input_ids"]\n' +
        'print(json.dumps([len(t), t.pad_token, t.pad_token_id, m.config.pad_token_id, m.config.vocab_size, ids, m(torch.tensor([ids])).logits[0].flatten().tolist()]))';
      const said = execFileSync(python!, ['-c', program, path], {
        stdio: 'pipe',
        maxBuffer: 1 << 26,
      }).toString();
      const [size, token, id, ofModel, vocabulary, ids, logits] = JSON.parse(said) as [
        ...[number, string, number, number, number],
        number[],
        number[],
      ];
      expect([size, token, id, ofModel, vocabulary]).toEqual([
        tokens + 1,
        '<|pad|>',
        tokens,
        tokens,
        tokens + 1,
      ]);
      expect(ids).toContain(tokens);
      const ours = await CausalLM.fromPretrained(path);
      expect((await Tokenizer.fromPretrained(path)).encode('a<|pad|>b')).toEqual(ids);
      const { data } = await ours.logits([ids]);
      const gap = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
      expect(gap).toBeLessThan(2e-5);
      ours.dispose();
    },
  );
});

describe('keys of the training configuration', () => {
  it('train_on_header trains the headers of the answers too', async () => {
    const dir = model();
    const trained = async (training: object, out: string) => {
      const { events } = await run(dir, training, join(folder, out));
      return events.find((event) => event.type === 'datasets')!.report[0]!;
    };
    const plain = await trained({}, 'plain');
    const headed = await trained({ train_on_header: true }, 'headed');
    const header = (await Tokenizer.fromPretrained(dir)).encode('<|im_start|>assistant\n').length;
    expect(headed.tokens).toBe(plain.tokens);
    expect(headed.trainedTokens - plain.trainedTokens).toBe(header * headed.train);
  });

  it('the dropout of config.json is applied, and left out with ignore_dropout', async () => {
    const dir = model({ attention_dropout: 0.5 });
    const lossesOf = async (training: object, output: string) => {
      const { path, events } = await run(dir, training, join(folder, output));
      expect(configOf(path)['attention_dropout']).toBe(0.5);
      return events.flatMap((event) => (event.type === 'step' ? event.loss : []));
    };
    const without = await lossesOf({ ignore_dropout: true }, 'without');
    expect(await lossesOf({}, 'with')).not.toEqual(without);
    expect(await lossesOf({ ignore_dropout: true }, 'again')).toEqual(without);
  });

  it.each([
    ['bfloat16', 'BF16'],
    ['float16', 'F16'],
    [undefined, 'F32'],
  ])('save_dtype %s: the final model is stored in it, checkpoints in float32', async (dtype, name) => {
    const { path } = await run(model(), dtype === undefined ? {} : { save_dtype: dtype });
    const stored = (dir: string) =>
      new Set(
        readFileSync(join(dir, 'model.safetensors'))
          .toString('latin1')
          .match(/"(B?F\d\d)"/g),
      );
    expect(stored(path)).toEqual(new Set([`"${name}"`]));
    expect(configOf(path)['dtype']).toBe(dtype ?? 'float32');
    expect(stored(join(folder, 'out', 'checkpoint-1'))).toEqual(new Set(['"F32"']));
    const opened = await CausalLM.fromPretrained(path);
    opened.dispose();
  });
});
