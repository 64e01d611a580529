import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfigFile } from '../../src/cli/read-config-file.js';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { DatasetMixer } from '../../src/data/dataset-mixer.js';
import { readRows } from '../../src/data/read/read-rows.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { encodeChat } from '../../src/tokenizer/encode/encode-chat.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { sealCheckpoint } from '../../src/trainer/checkpoint/checkpoint-files.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import type { Case } from './mutate.js';

/** What can be fuzzed: files that a reader is given, and what the reader makes of them. */
export interface Target {
  seeds: readonly Case[];
  /** What means something in such files. */
  words: readonly string[];
  /** Reads the file as the library does. What it throws has to be an error of the library's own. */
  read(file: Case): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const fixture = (path: string) => join(root, 'test/fixtures', path);
const exampleModel = join(root, 'examples/seed-lm');

/** Each target sets itself up when it is asked for. */
export const targets = { safetensors, config, tokenizer, template, jsonl, csv, parquet, checkpoint };
export type TargetName = keyof typeof targets;

/** The files that are kept for a target: `<anything>.<name>`. */
function kept(target: TargetName): Case[] {
  const dir = fileURLToPath(new URL(`seeds/${target}`, import.meta.url));
  const files = existsSync(dir) ? readdirSync(dir).sort() : [];
  return files.map((file) => readCase(join(dir, file)));
}

export function readCase(path: string, name = basename(path).replace(/^[^.]*\./, '')): Case {
  return { name, bytes: readFileSync(path) };
}

// ---- a model folder ----

async function safetensors(): Promise<Target> {
  const dir = writeTinyModel(join(tempDir(), 'model'));
  const path = join(dir, 'model.safetensors');
  return {
    seeds: [readCase(path), ...kept('safetensors')],
    words: [
      'F16',
      'BF16',
      'F64',
      'I64',
      'BOOL',
      'F8_E4M3',
      '__metadata__',
      'data_offsets',
      'shape',
      'dtype',
      'lm_head.weight',
    ],
    async read({ bytes }) {
      writeFileSync(path, bytes);
      await use(await CausalLM.fromPretrained(dir));
    },
  };
}

async function use(model: CausalLM): Promise<void> {
  try {
    await model.logits([[1, 2, 3], [4]]);
    await model.generate([1], { maxNewTokens: 2 }).collect();
  } finally {
    model.dispose();
  }
}

/** `config.json` of a model of any family, and the configuration of a run. */
async function config(): Promise<Target> {
  const families = readdirSync(fixture('models'));
  const dirs = new Map<string | undefined, string>();
  for (const family of families) {
    const dir = join(tempDir(), family);
    mkdirSync(dir);
    copyFileSync(fixture(`models/${family}/model.safetensors`), join(dir, 'model.safetensors'));
    dirs.set(
      /"model_type": "(\w+)"/.exec(readFileSync(fixture(`models/${family}/config.json`), 'utf8'))?.[1],
      dir,
    );
  }
  const runConfig = join(tempDir(), 'run.json');
  return {
    seeds: [
      ...families.map((family) => readCase(fixture(`models/${family}/config.json`), 'config.json')),
      ...kept('config'),
    ],
    words: [
      ...[
        'llama',
        'qwen3',
        'gemma3_text',
        'phi3',
        'gpt2',
        'yarn',
        'longrope',
        'linear',
        'llama3',
        'dynamic',
        'rope_type',
      ],
      ...[
        'rope_scaling',
        'sliding_window',
        'layer_types',
        'num_hidden_layers',
        'head_dim',
        'vocab_size',
        'gelu',
        'silu',
      ],
      ...[
        'trainingConfig',
        'training_config',
        'datasetsConfig',
        'adaptiveLossConfig',
        'peftConfig',
        'batch_size',
        ':|:',
        'ideas',
      ],
    ],
    async read({ name, bytes }) {
      if (name === 'run.json') {
        writeFileSync(runConfig, bytes);
        parseConfig((await readConfigFile(runConfig)) as Parameters<typeof parseConfig>[0]);
        return;
      }
      const type = /"model_type":\s*"(\w+)"/.exec(bytes.toString())?.[1];
      const dir = dirs.get(type) ?? dirs.get('llama')!;
      writeFileSync(join(dir, 'config.json'), bytes);
      await use(await CausalLM.fromPretrained(dir));
    },
  };
}

// ---- a tokenizer ----

const chats = [
  [
    { role: 'user', content: 'Who are you?' },
    { role: 'assistant', content: ' An "assistant" <b>\n' },
  ],
  [
    { role: 'system', content: 'Täglich 日本 😀.' },
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
    { role: 'user', content: '' },
    { role: 'assistant', content: 'the the' },
  ],
];

async function tokenizer(): Promise<Target> {
  const dir = tempDir();
  for (const name of ['tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(exampleModel, name), join(dir, name));
  const texts = [
    '',
    'the cat',
    ' The  the\n\tthe 12345 don’t “x”',
    'Täglich 日本 😀\u0000\ud800',
    'a'.repeat(3000),
  ];
  return {
    seeds: kept('tokenizer'),
    words: [
      ...[
        'BPE',
        'Unigram',
        'WordPiece',
        'WordLevel',
        'Sequence',
        'ByteLevel',
        'Split',
        'Regex',
        'String',
        'Isolated',
        'Removed',
      ],
      ...[
        'MergedWithNext',
        'Metaspace',
        'Digits',
        'Replace',
        'Prepend',
        'NFKC',
        'Precompiled',
        'TemplateProcessing',
        'Strip',
      ],
      ...[
        '\\p{L}+',
        '\\s+(?!\\S)',
        '(?i:x)',
        '[^\\r\\n]',
        '(',
        '[',
        'byte_fallback',
        'unk_token',
        'merges',
        'vocab',
        'special',
      ],
    ],
    async read({ bytes }) {
      writeFileSync(join(dir, 'tokenizer.json'), bytes);
      const opened = await Tokenizer.fromPretrained(dir);
      for (const text of texts) opened.decode(opened.encode(text, { addSpecialTokens: true }));
      for (const chat of chats) encodeChat(opened, chat);
    },
  };
}

async function template(): Promise<Target> {
  const opened = await Tokenizer.fromPretrained(exampleModel);
  const tools = [
    { type: 'function', function: { name: 'add', parameters: { type: 'object', properties: {} } } },
  ];
  return {
    seeds: kept('template'),
    words: [
      ...[
        '{{',
        '}}',
        '{%',
        '%}',
        '{%-',
        '-%}',
        '{#',
        '#}',
        '{% raw %}',
        '{% endraw %}',
        '{% if',
        '{% endif %}',
        '{% endfor %}',
      ],
      ...[
        '{% for x in range(10) %}',
        '{% set ns = namespace(a=1) %}',
        '{% macro m(a, b=2) %}',
        '{% endmacro %}',
        '{{ m(1) }}',
      ],
      ...[
        'loop.index',
        'loop.previtem',
        'messages',
        'message',
        '.content',
        '[0]',
        '[::-1]',
        '[-1:]',
        '|',
        'tojson',
        'trim',
      ],
      ...[
        'join',
        'map(attribute="role")',
        'selectattr("role", "equalto", "user")',
        'is defined',
        'is none',
        'not in',
        '~',
        '**',
      ],
      ...[
        'raise_exception("x")',
        'strftime_now("%Y")',
        '{% generation %}',
        '{% endgeneration %}',
        '{% break %}',
        'replace("a", "b")',
      ],
      ...[
        'split(",")',
        'format',
        '%',
        'round',
        'int',
        'float',
        'sum',
        'dictsort',
        'items',
        'indent(4)',
        '"\\u0041"',
        '1e999',
        '//',
        '0',
      ],
    ],
    async read({ bytes }) {
      opened.chatTemplate = bytes.toString('utf8');
      for (const chat of chats) opened.renderChat(chat, { tools, variables: { enable_thinking: true } });
      for (const chat of chats) encodeChat(opened, chat);
    },
  };
}

// ---- data ----

/** The rows of a file on their own, and as a dataset of texts and chats. */
async function dataFile(seeds: readonly Case[], words: readonly string[]): Promise<Target> {
  const dir = tempDir();
  const opened = await Tokenizer.fromPretrained(exampleModel);
  return {
    seeds,
    words: [...words, 'prompt', 'response', 'messages', 'role', 'content', 'user', 'assistant', 'text'],
    async read({ name, bytes }) {
      const path = join(dir, `rows.${name}`);
      writeFileSync(path, bytes);
      for await (const { fault } of readRows(path))
        if (fault !== undefined && fault.code === undefined) throw fault;
      const datasetsKwargs = { [path]: { onBadRow: 'skip' } } as const;
      const datasetsConfig = { misc: [path] };
      await new DatasetMixer({
        tokenizer: opened,
        datasetsConfig,
        datasetsKwargs,
        cacheDir: null,
        onWarning: () => {},
      }).build();
    },
  };
}

function jsonl(): Promise<Target> {
  return dataFile(kept('jsonl'), [
    'null',
    'true',
    '1e999',
    '-0',
    '\\ud83d',
    '\\u0000',
    '\n',
    '"',
    '{',
    '[',
    '//',
    '__proto__',
  ]);
}

function csv(): Promise<Target> {
  return dataFile(kept('csv'), [
    '"',
    '""',
    ',',
    '\t',
    '\r',
    '\n',
    '\r\n',
    '\ufeff',
    ';',
    '__proto__',
    'constructor',
  ]);
}

function parquet(): Promise<Target> {
  const names = ['numbers', 'snappy', 'gzip', 'zstd', 'empty'];
  return dataFile(
    [...names.map((name) => readCase(fixture(`data/${name}.parquet`))), ...kept('parquet')],
    [],
  );
}

// ---- a checkpoint ----

/** Each file of a checkpoint. It is sealed again with the changed one in it: what its hash would find is not all there is. */
async function checkpoint(): Promise<Target> {
  const [dir, outputDir] = [writeTinyModel(join(tempDir(), 'model')), join(tempDir(), 'run')];
  const rows = trainingRows(8, tinyConfig.vocab_size);
  const args = { ...plainArgs, maxSteps: 3, saveStrategy: 'steps', saveSteps: 2 } as const;
  const model = await CausalLM.fromPretrained(dir);
  await new AdaptiveTrainer({ model, trainDataset: rows, args, outputDir }).train();
  model.dispose();
  const saved = join(outputDir, 'checkpoint-2');
  const whole = new Map(readdirSync(saved).map((name) => [name, readFileSync(join(saved, name))]));
  return {
    seeds: [...[...whole].map(([name, bytes]) => ({ name, bytes })), ...kept('checkpoint')],
    words: [
      'version',
      'files',
      'sha256',
      'bytes',
      'step',
      'epoch',
      'optimizer',
      'history',
      'best',
      'runId',
      'fingerprint',
    ],
    async read({ name, bytes }) {
      for (const [file, content] of whole) writeFileSync(join(saved, file), file === name ? bytes : content);
      if (name !== 'checkpoint.json') {
        rmSync(join(saved, 'checkpoint.json'));
        await sealCheckpoint(saved, { runId: 'fuzzed', step: 2 });
      }
      const again = await CausalLM.fromPretrained(dir);
      try {
        const trainer = new AdaptiveTrainer({
          model: again,
          trainDataset: rows,
          args: { ...args, saveStrategy: 'no' },
        });
        await trainer.train({ resumeFromCheckpoint: saved });
      } finally {
        again.dispose();
      }
    },
  };
}
