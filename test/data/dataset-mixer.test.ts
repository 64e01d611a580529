import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { DatasetMixer, type DatasetMixerOptions } from '../../src/data/dataset-mixer.js';
import type { DatasetsConfigInput } from '../../src/config/datasets/datasets-config.js';
import type { MixProgress } from '../../src/events/dataset-report.js';
import type { MixedDatasets } from '../../src/data/mix/mixed-datasets.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { openTokenizer } from '../tokenizer/open-tokenizer.js';
import { questions, writeFiles } from './write-files.js';

const tokenizer = await openTokenizer('seed');
type Given = Omit<DatasetMixerOptions, 'tokenizer'>;

async function build(options: Given): Promise<MixedDatasets & { warnings: string[] }> {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const mixed = await new DatasetMixer({ tokenizer, onWarning, ...options }).build();
  return { ...mixed, warnings };
}

async function failure(options: Given): Promise<AdaptiveTrainerError> {
  const error: unknown = await build(options).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (AdaptiveTrainerError.isInstance(error)) return error;
  throw new Error(`expected an AdaptiveTrainerError but got ${String(error)}`);
}

const text = (row: TrainingRow) => tokenizer.decode(row.inputIds, { skipSpecialTokens: false });
const asked = (rows: readonly TrainingRow[]) =>
  rows.map((row) => /user\n(.*?)<\|im_end\|>/s.exec(text(row))?.[1] ?? '');
const memory = (train: unknown[], name = 'mine') => ({ name, train });
const only = (row: unknown) => ({ name: 'mine', train: [row], eval: [] });

describe('rows', () => {
  test('have the ids of the rendered chat, the labels of the answer, the style and the source', async () => {
    const { train, eval: evaluation } = await build({
      datasetsConfig: {
        ideas: [
          { name: 'mine', train: [{ question: 'q', answer: 'a' }], eval: [{ query: 'x', response: 'y' }] },
        ],
      },
    });
    expect(train).toHaveLength(1);
    expect(text(train[0]!)).toBe('<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n');
    const trained = [...train[0]!.labels].filter((label) => label !== -100);
    expect(tokenizer.decode(trained, { skipSpecialTokens: false })).toBe('a<|im_end|>\n');
    expect(train[0]).toMatchObject({ learningStyle: 'ideas', source: 'mine' });
    expect(asked(evaluation)).toEqual(['x']);
  });

  test('of all datasets are mixed, the same way for the same seed', async () => {
    const datasetsConfig = {
      ideas: [{ ...memory(questions(60, 'i'), 'one'), eval: [] }],
      attention: [{ ...memory(questions(40, 'a'), 'two'), eval: questions(3, 'e') }],
    };
    const first = await build({ datasetsConfig });
    const again = await build({ datasetsConfig });
    const other = await build({ datasetsConfig, seed: 43 });
    expect(asked(first.train)).toEqual(asked(again.train));
    expect(asked(first.train)).not.toEqual(asked(other.train));
    expect(asked(first.train).sort()).toEqual(asked(other.train).sort());
    expect(new Set(asked(first.train))).toEqual(
      new Set([...questions(60, 'i'), ...questions(40, 'a')].map((row) => row.question)),
    );
    const styles = first.train.slice(0, 20).map((row) => row.learningStyle);
    expect(new Set(styles)).toEqual(new Set(['ideas', 'attention']));
    expect(asked(first.eval)).toEqual(['e0?', 'e1?', 'e2?']);
    expect(first.report.map(({ name, style, train, eval: count }) => [name, style, train, count])).toEqual([
      ['one', 'ideas', 60, 0],
      ['two', 'attention', 40, 3],
    ]);
  });

  test('the report counts tokens', async () => {
    const { train, report } = await build({
      datasetsConfig: { misc: [{ ...memory(questions(5)), eval: [] }] },
    });
    const tokens = train.reduce((sum, row) => sum + row.inputIds.length, 0);
    const trained = train.reduce(
      (sum, row) => sum + [...row.labels].filter((label) => label !== -100).length,
      0,
    );
    expect(report[0]).toMatchObject({ tokens, trainedTokens: trained, evalFrom: 'none' });
    expect(trained).toBeGreaterThan(15);
    expect(trained).toBeLessThan(tokens / 2);
  });

  test('trainOnHeader trains the header', async () => {
    const datasetsConfig = { misc: [only({ question: 'q', answer: 'a' })] };
    const { train } = await build({ datasetsConfig, trainOnHeader: true });
    const trained = [...train[0]!.labels].filter((label) => label !== -100);
    expect(tokenizer.decode(trained, { skipSpecialTokens: false })).toBe(
      '<|im_start|>assistant\na<|im_end|>\n',
    );
  });
});

describe('holding out and trimming', () => {
  test('without validation 5% are held out, disjoint and the same for every seed', async () => {
    const datasetsConfig = { ideas: [memory(questions(200))] };
    const { train, eval: evaluation, report, warnings } = await build({ datasetsConfig });
    expect([train.length, evaluation.length]).toEqual([190, 10]);
    expect(new Set([...asked(train), ...asked(evaluation)]).size).toBe(200);
    expect(asked((await build({ datasetsConfig, seed: 7 })).eval)).toEqual(asked(evaluation));
    expect(report[0]).toMatchObject({ evalFrom: 'held out', trimmedTo: null });
    expect(warnings).toEqual([]);
  });

  test('few rows are said to be few', async () => {
    const two = await build({ datasetsConfig: { ideas: [memory(questions(2))] } });
    expect([two.train.length, two.eval.length]).toEqual([1, 1]);
    expect(two.warnings).toEqual([expect.stringMatching(/"mine" \(.*ideas\[0\]\) has 2 usable rows/)]);
    const one = await build({ datasetsConfig: { ideas: [memory(questions(1))] } });
    expect([one.train.length, one.eval.length]).toEqual([1, 0]);
    expect(one.warnings).toEqual([expect.stringMatching(/one usable row/)]);
  });

  test('K keeps K rows and scales the validation rows', async () => {
    const dataset = { name: 'mine:|:50', train: questions(500), eval: questions(200, 'e') };
    const { train, eval: evaluation, report } = await build({ datasetsConfig: { ideas: [dataset] } });
    expect([train.length, evaluation.length]).toEqual([50, 20]);
    expect(new Set(asked(train)).size).toBe(50);
    expect(report[0]).toMatchObject({ name: 'mine', train: 50, eval: 20, trimmedTo: 50 });
  });

  test('too long rows leave before the trim, so that K usable rows are kept', async () => {
    const long = { question: 'why? '.repeat(200), answer: 'so' };
    const train = questions(60).flatMap((row) => [long, row]);
    const dataset = { name: 'mine:|:55', train, eval: [long, ...questions(3, 'e')] };
    const { report } = await build({ datasetsConfig: { ideas: [dataset] }, maxLengthToken: 100 });
    expect(report[0]).toMatchObject({ train: 55, eval: 3, droppedTooLong: 61, trimmedTo: 55 });
  });

  test('the limit counts tokens, and a row of just so many stays', async () => {
    const datasetsConfig = { ideas: [only({ question: 'one two three', answer: 'four' })] };
    const length = (await build({ datasetsConfig })).train[0]!.inputIds.length;
    expect((await build({ datasetsConfig, maxLengthToken: length })).train).toHaveLength(1);
    const error = await failure({ datasetsConfig, maxLengthToken: length - 1 });
    expect(error.code).toBe('DATASET_INVALID');
    expect(error.message).toMatch(
      new RegExp(
        `"mine".*of 1 read, 1 have more than ${length - 1} tokens.*raise maxLengthToken.* ${length} for`,
      ),
    );
  });

  test('rows without a trained token are dropped and counted, as are skipped ones', async () => {
    const train = [
      ...questions(3).map((row) => ({ messages: [{ role: 'user', content: row.question }] })),
      ...questions(4),
    ];
    const { report } = await build({ datasetsConfig: { ideas: [{ ...memory(train), eval: [] }] } });
    expect(report[0]).toMatchObject({ train: 4, droppedNoTrainedToken: 3 });
    const skipping = await build({
      datasetsConfig: {
        ideas: [{ ...memory(questions(6)), eval: questions(2) }],
        dataProcessingFunction: (sample: { question: string }) =>
          /[024]/.test(sample.question) ? null : [sample.question, 'x'],
      },
    });
    expect(skipping.report[0]).toMatchObject({ train: 3, eval: 1, skippedByFunction: 4 });
  });

  test('every dataset without a row left is named in one error', async () => {
    const error = await failure({
      datasetsConfig: {
        ideas: [memory(questions(5), 'skipped')],
        attention: [
          memory([{ messages: [{ role: 'user', content: 'x' }] }], 'unanswered'),
          memory([], 'empty'),
        ],
        both: [memory(questions(5), 'good')],
        dataProcessingFunction_skipped: () => null,
      },
    });
    expect(error.code).toBe('DATASET_INVALID');
    expect(error.message).toMatch(
      /3 datasets.*"skipped".*5 were skipped.*"unanswered".*1 have no token.*"empty".*of 0 read/s,
    );
    expect(error.message).not.toContain('"good"');
  });
});

describe('processing functions', () => {
  const answerOf = (rows: readonly TrainingRow[]) =>
    rows.map((row) => /assistant\n(.*?)<\|im_end\|>/s.exec(text(row))?.[1]);
  const says = (answer: string) => () => ['q', answer] as const;
  const row = { question: 'q', answer: 'built-in' };

  test.each([
    ['the common one', { data_processing_function: says('common') }, 'common'],
    [
      'its style’s',
      { data_processing_function_ideas: says('style'), data_processing_function: says('common') },
      'style',
    ],
    [
      'its style’s in camelCase',
      { dataProcessingFunctionIdeas: says('style'), dataProcessingFunction: says('common') },
      'style',
    ],
    ['another style’s is not taken', { dataProcessingFunctionBoth: says('style') }, 'built-in'],
    [
      'its own',
      { data_processing_function_mine: says('own'), data_processing_function_ideas: says('style') },
      'own',
    ],
    [
      'its own in camelCase',
      { dataProcessingFunction_mine: says('own'), dataProcessingFunction: says('common') },
      'own',
    ],
    [
      'its own with K',
      { 'data_processing_function_mine:|:5': says('own'), data_processing_function_mine: says('bare') },
      'own',
    ],
    [
      'null for it',
      { data_processing_function_mine: null, data_processing_function_ideas: says('style') },
      'built-in',
    ],
    [
      'null for its style',
      { data_processing_function_ideas: null, data_processing_function: says('common') },
      'built-in',
    ],
    [
      'a parsed configuration',
      { dataProcessingFunction: null, dataProcessingFunctions: { ideas: says('style') } },
      'style',
    ],
    ['none', {}, 'built-in'],
  ])('%s', async (_, functions, expected) => {
    const datasetsConfig = { ideas: [{ name: 'mine:|:5', train: [row], eval: [] }], ...functions };
    const { train, warnings } = await build({ datasetsConfig });
    expect(answerOf(train)).toEqual([expected]);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['a pair', ['u', 'a']],
    ['an object', { user: 'u', assistant: 'a' }],
    [
      'messages',
      [
        { role: 'user', content: 'u' },
        { role: 'assistant', content: 'a' },
      ],
    ],
    ['a promise', Promise.resolve(['u', 'a'])],
  ])('may return %s', async (_, value) => {
    const process = () => value as never;
    const { train } = await build({ datasetsConfig: { misc: [only(row)], dataProcessingFunction: process } });
    expect(text(train[0]!)).toBe('<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n');
  });

  test('messages of several turns train each answer', async () => {
    const turns = ['u', 'a', 'v', 'b'].map((content, index) => ({
      role: index % 2 ? 'assistant' : 'user',
      content,
    }));
    const { train } = await build({
      datasetsConfig: { misc: [only(row)], dataProcessingFunction: () => turns },
    });
    const trained = [...train[0]!.labels].filter((label) => label !== -100);
    expect(tokenizer.decode(trained, { skipSpecialTokens: false })).toBe('a<|im_end|>\nb<|im_end|>\n');
  });

  test.each([
    [undefined, /nothing \(is a "return" missing\?\)/],
    ['text', /the string "text"/],
    [['only one'], /\[the string "only one"\]/],
    [['u', {}], /an object\]/],
    [{ user: 'u' }, /user: the string "u"/],
    [[{ role: 'user' }], /content of messages\[0\]/],
  ])('may not return %j', async (value, words) => {
    const datasetsConfig = {
      misc: [memory([...questions(1), ...questions(2)])],
      dataProcessingFunction: () => value as never,
    };
    const error = await failure({ datasetsConfig });
    expect(error.code).toBe('DATASET_INVALID');
    expect(error.message).toMatch(
      /Dataset "mine" \(.*misc\[0\]\), row 0 of train failed.*Its columns: question, answer/s,
    );
    expect(error.message).toMatch(words);
  });

  test('an exception is passed on with its row', async () => {
    const cause = new TypeError('no such column');
    const process = ({ question }: { question: string }) => {
      if (question === 'q2?') throw cause;
      return [question, 'x'] as const;
    };
    const error = await failure({
      datasetsConfig: { misc: [memory(questions(5))], dataProcessingFunction: process },
    });
    expect(error).toMatchObject({
      code: 'DATASET_INVALID',
      cause,
      details: { dataset: 'mine', row: 2, keys: ['question', 'answer'] },
    });
    expect(error.message).toMatch(/row 2 of train.*no such column/);
  });

  test.each([
    ['ideas', 'ideas', true],
    ['ideas', 'attention', false],
    ['attention', 'attention', true],
    ['both', 'ideas', false],
    ['ideas', 'verbose', 'verbose'],
    ['ideas', true, true],
    ['ideas', undefined, false],
  ])('in style %s context_mode %j becomes %j', async (style, contextMode, expected) => {
    const process = vi.fn((_sample: unknown, _contextMode: unknown) => ['u', 'a'] as const);
    await build({
      datasetsConfig: {
        [style as 'ideas']: [{ ...only(row), name: 'mine:|:5' }],
        dataProcessingFunction: process,
      },
      datasetsKwargs: { mine: { context_mode: contextMode, data_dir: null } },
    });
    expect(process.mock.calls).toEqual([[row, expected]]); // once a row: it may have effects
  });

  test('the built-in one knows the context mode too', async () => {
    const sample = { question: 'q', question_with_context: 'c: q', answer: 'a' };
    const datasetsConfig = { ideas: [only(sample)], both: [only(sample)] };
    const { train } = await build({ datasetsConfig, datasetsKwargs: { mine: { contextMode: 'ideas' } } });
    expect(train.map((one) => [one.learningStyle, asked([one])[0]]).sort()).toEqual([
      ['both', 'q'],
      ['ideas', 'c: q'],
    ]);
  });
});

describe('system prompts', () => {
  const datasetsConfig = {
    ideas: [only({ question: 'q', answer: 'a' })],
    both: [{ ...only({ question: 'q', answer: 'a' }), name: 'other' }],
  };
  const systems = (mixed: MixedDatasets) =>
    mixed.train
      .map((row) => [row.learningStyle, /system\n(.*?)<\|im_end\|>/s.exec(text(row))?.[1]])
      .sort(([a], [b]) => String(a).localeCompare(String(b)));

  test('that of the style, then that of the dataset, as they are', async () => {
    const mixed = await build({
      datasetsConfig,
      systemPrompts: { ideas: 'Be brief.', both: '' },
      datasetSpecificSystemPrompts: { 'mine:|:9': ' Be kind.', other: null },
    });
    expect(systems(mixed)).toEqual([
      ['both', undefined],
      ['ideas', 'Be brief. Be kind.'],
    ]);
    expect(mixed.report.map((one) => one.systemPrompt)).toEqual(['Be brief. Be kind.', '']);
  });

  test('may stand in datasetsConfig, where the Python package puts them', async () => {
    const mixed = await build({
      datasetsConfig: { ...datasetsConfig, system_prompts: { both: 'Both.' } } as never,
    });
    expect(systems(mixed)).toEqual([
      ['both', 'Both.'],
      ['ideas', undefined],
    ]);
  });

  test('go before a system message of the row', async () => {
    const messages = [
      { role: 'system', content: 'Own.' },
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    const mixed = await build({
      datasetsConfig: { ideas: [only({ messages })] },
      systemPrompts: { ideas: 'Given.' },
    });
    expect(systems(mixed)).toEqual([['ideas', 'Given.\n\nOwn.']]);
  });

  test('entries for datasets that are not listed are told', async () => {
    const { warnings } = await build({
      datasetsConfig: { ...datasetsConfig, data_processing_function_mime: null } as DatasetsConfigInput,
      datasetSpecificSystemPrompts: { othr: 'x' },
      datasetsKwargs: { mine: {} },
    });
    expect(warnings).toEqual([
      expect.stringMatching(/"othr".*Did you mean "other"/),
      expect.stringMatching(/"mime".*Did you mean "mine"/),
    ]);
  });
});

describe('files', () => {
  const counts = async (entry: string, kwargs?: Record<string, unknown>) => {
    const mixed = await build({
      datasetsConfig: { ideas: [entry] },
      datasetsKwargs: kwargs ? { [entry]: kwargs } : null,
    });
    return { train: mixed.train.length, eval: asked(mixed.eval)[0]?.[0], warnings: mixed.warnings };
  };

  test('a file of either kind', async () => {
    const dir = await writeFiles({ 'rows.jsonl': questions(40), 'rows.json': JSON.stringify(questions(60)) });
    expect((await build({ datasetsConfig: { ideas: [join(dir, 'rows.jsonl')] } })).train).toHaveLength(38);
    expect(
      (await build({ datasetsConfig: { ideas: [`${join(dir, 'rows.json')}:|:7`] } })).train,
    ).toHaveLength(7);
  });

  test.each(['validation', 'valid', 'val', 'dev', 'eval', 'test'])(
    'a folder with train and %s',
    async (name) => {
      const dir = await writeFiles({ 'train.jsonl': questions(30), [`${name}.jsonl`]: questions(12, 'v') });
      expect(await counts(dir)).toEqual({ train: 30, eval: 'v', warnings: [] });
    },
  );

  test('validation goes before test, and a split of several files is one', async () => {
    const dir = await writeFiles({
      'train-00000-of-00002.jsonl': questions(30),
      'train-00001-of-00002.json': JSON.stringify(questions(5, 'x')),
      'test.jsonl': questions(3, 't'),
      'validation.json': JSON.stringify(questions(3, 'v')),
      'README.md': 'not data',
    });
    expect(await counts(dir)).toEqual({ train: 35, eval: 'v', warnings: [] });
  });

  test('data_dir, train_split, val_split and data_files choose', async () => {
    const dir = await writeFiles({
      'sub/main.jsonl': questions(30),
      'sub/hard.jsonl': questions(3, 'h'),
      'sub/test.jsonl': questions(3, 't'),
      'part-1.jsonl': questions(4),
      'part-2.jsonl': questions(5, 'x'),
      'check.jsonl': questions(3, 'c'),
    });
    expect(await counts(dir, { data_dir: 'sub', train_split: 'main', val_split: 'hard' })).toMatchObject({
      train: 30,
      eval: 'h',
    });
    expect(await counts(dir, { dataDir: 'sub', trainSplit: 'main' })).toMatchObject({ train: 30, eval: 't' });
    expect(await counts(dir, { data_dir: 'sub', train_split: 'main', val_split: 'main' })).toMatchObject({
      train: 28,
      eval: 'q',
    });
    expect(await counts(dir, { data_files: 'part-*.jsonl' })).toMatchObject({ train: 8 });
    expect(
      await counts(dir, { data_files: { train: ['part-1.jsonl'], validation: 'check.jsonl' } }),
    ).toMatchObject({ train: 4, eval: 'c' });
    const missing = await counts(dir, { data_dir: 'sub', train_split: 'main', val_split: 'nope' });
    expect(missing).toEqual({
      train: 30,
      eval: 't',
      warnings: [expect.stringMatching(/no split "nope".*"test" is taken/)],
    });
  });

  test.each([
    ['nothing of the name', 'missing.jsonl', undefined, 'DATASET_NOT_FOUND', /missing\.jsonl/],
    ['a file of another kind', 'rows.txt', undefined, 'DATASET_INVALID', /rows\.txt is none of them/],
    [
      'a folder without data',
      'empty',
      undefined,
      'DATASET_NOT_FOUND',
      /"train" in .*empty but found no \.jsonl/,
    ],
    ['a folder without doubt-free training data', 'many', undefined, 'DATASET_NOT_FOUND', /only: a, b/],
    ['a split that is not there', 'many', { train_split: 'c' }, 'DATASET_NOT_FOUND', /"c".*only: a, b/],
    ['data_files that are not there', 'many', { data_files: 'c*.jsonl' }, 'DATASET_NOT_FOUND', /c\*\.jsonl/],
    ['a data_dir that is not there', 'many', { data_dir: 'deep' }, 'DATASET_NOT_FOUND', /many\/deep/],
    ['a data_dir for a file', 'many/a.jsonl', { data_dir: 'deep' }, 'DATASET_INVALID', /is a file/],
    ['a broken file', 'broken.jsonl', undefined, 'DATASET_INVALID', /broken\.jsonl, line 2, column 13/],
    [
      'rows of no known shape',
      'odd.jsonl',
      undefined,
      'DATASET_INVALID',
      /odd\.jsonl".*row 0 \(.*odd\.jsonl line 1\).*its columns are: foo/,
    ],
    [
      'a Hub-only setting',
      'many/a.jsonl',
      { revision: 'main' },
      'DATASET_INVALID',
      /no "revision".*of the Hub/,
    ],
  ])('%s', async (_, name, kwargs, code, words) => {
    const dir = await writeFiles({
      'rows.txt': 'a,b',
      'empty/README.md': '',
      'many/a.jsonl': questions(2),
      'many/b.jsonl': questions(2),
      'broken.jsonl': '{"question":"q","answer":"a"}\n{"question":}\n',
      'odd.jsonl': [{ foo: 1 }],
    });
    const entry = join(dir, name);
    const error = await failure({
      datasetsConfig: { ideas: [entry] },
      datasetsKwargs: kwargs ? { [entry]: kwargs } : {},
    });
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
  });

  test.each(['owner/name', 'owner/my.data-set_1:|:100'])('%s is a Hub name', async (entry) => {
    const error = await failure({ datasetsConfig: { ideas: [entry] } });
    expect([error.code, error.message]).toEqual([
      'NOT_AVAILABLE',
      expect.stringMatching(/Hub datasets are not available here: download "owner/),
    ]);
  });

  test.each(['./owner/name', 'data/rows.jsonl', 'a/b/c', '/a/b', 'name'])('%s is a path', async (entry) => {
    expect((await failure({ datasetsConfig: { ideas: [entry] } })).code).toBe('DATASET_NOT_FOUND');
  });

  test('all datasets that cannot be used are told at once, before any function is called', async () => {
    const process = vi.fn(() => ['u', 'a'] as const);
    const error = await failure({
      datasetsConfig: {
        ideas: [memory(questions(3)), './missing-1.jsonl'],
        both: ['./missing-2.jsonl'],
        dataProcessingFunction: process,
      },
    });
    expect(error.code).toBe('DATASET_NOT_FOUND');
    expect(error.message).toMatch(/2 datasets cannot be used.*missing-1.*missing-2/s);
    expect(process).not.toHaveBeenCalled();
  });
});

describe('configurations that are wrong', () => {
  test.each([
    [{}, /at least one dataset/],
    [{ ideas: [] }, /at least one dataset/],
    [null, /an object that lists datasets/],
    [{ ideas: 'x' }, /datasetsConfig\.ideas: expected an array/],
    [{ idea: ['x'] }, /datasetsConfig\.idea: .*did you mean "ideas"/],
    [{ ideas: ['x:|:K'] }, /ideas\[0\]: .*a whole number of rows/],
    [{ ideas: ['x:|:0'] }, /ideas\[0\]/],
    [{ ideas: [{ name: 'x' }] }, /ideas\[0\]: expected a path, .*train: rows/],
    [{ ideas: [{ name: 'x', train: [], trian: [] }] }, /ideas\[0\]/],
    [{ ideas: ['x', 'y', 'x'] }, /ideas\[2\]: expected each dataset once in a style/],
    [{ ideas: ['x'], dataProcessingFunction: 'x' }, /dataProcessingFunction: expected a function/],
    [{ ideas: ['x'], dataProcessingFunction_x: 3 }, /dataProcessingFunction_x: expected a function/],
  ])('%j', async (datasetsConfig, words) => {
    const error = await failure({ datasetsConfig: datasetsConfig as never });
    expect([error.code, error.message]).toEqual(['CONFIG_INVALID', expect.stringMatching(words)]);
  });

  test('all faults are told at once', async () => {
    const error = await failure({
      datasetsConfig: { ideas: ['x:|:-1'], atention: [] } as never,
      systemPrompts: { idea: 'x' } as never,
      datasetsKwargs: { x: { train_split: 3, split: 'y' } },
      datasetSpecificSystemPrompts: { x: 3 } as never,
    });
    expect(error.details['faults']).toHaveLength(4);
    expect(error.message).toMatch(/atention.*idea/s);
  });

  test('the same dataset may be learned in two styles', async () => {
    const { report } = await build({
      datasetsConfig: { ideas: [memory(questions(30))], both: [memory(questions(30))] },
    });
    expect(report.map(({ style, train }) => [style, train])).toEqual([
      ['ideas', 28],
      ['both', 28],
    ]);
  });

  test.each([{ maxLengthToken: 1 }, { maxLengthToken: 1.5 }, { seed: -1 }])('%j', (wrong) => {
    const make = () => new DatasetMixer({ tokenizer, datasetsConfig: {}, ...wrong });
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

test('a template that refuses a row names dataset and row', async () => {
  const gemma = await openTokenizer('gemma3');
  const messages = ['user', 'user', 'assistant'].map((role) => ({ role, content: 'x' }));
  const mixer = new DatasetMixer({
    tokenizer: gemma,
    datasetsConfig: { ideas: [memory([...questions(2), { messages }])] },
  });
  await expect(mixer.build()).rejects.toThrow(
    expect.objectContaining({
      code: 'CHAT_TEMPLATE_FAILED',
      message: expect.stringMatching(/Dataset "mine" .*row 2 of train: .*roles must alternate/s),
    }),
  );
});

test('timers keep firing, and progress is told', async () => {
  const rows = questions(4000).map(({ question, answer }) => ({ question: question.repeat(30), answer }));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const progress: MixProgress[] = [];
  const [started, before] = [performance.now(), process.cpuUsage()];
  await build({
    datasetsConfig: { ideas: [{ ...memory(rows), eval: [] }] },
    cacheDir: null,
    onProgress: (one) => void progress.push(one),
  });
  clearInterval(timer);
  // Of the time that this process had, not that others had.
  const { user, system } = process.cpuUsage(before);
  const breaks = Math.min(performance.now() - started, (user + system) / 1000) / 20;
  expect(ticks).toBeGreaterThan(Math.max(3, breaks / 4));
  expect(progress.find((one) => one.split === 'train' && one.rows === 4000)).toMatchObject({
    dataset: 'mine',
    style: 'ideas',
  });
  expect(progress.length).toBeGreaterThan(3);
});
