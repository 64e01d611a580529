import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { DatasetMixer, type DatasetMixerOptions } from '../../src/data/dataset-mixer.js';
import { previewDatasets } from '../../src/data/preview-datasets.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { openTokenizer, seedDir } from '../tokenizer/open-tokenizer.js';
import { questions, writeFiles } from './write-files.js';

const tokenizer = await openTokenizer('seed');

async function build(options: Omit<DatasetMixerOptions, 'tokenizer'>) {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const mixed = await new DatasetMixer({ tokenizer, onWarning, cacheDir: null, ...options }).build();
  const texts = [...mixed.train].map((row) => tokenizer.decode(row.inputIds, { skipSpecialTokens: false }));
  return { ...mixed, warnings, texts };
}

const bad = {
  json: '{"question":"q"',
  empty: '{"question":"q","answer":null}',
  surrogate: '{"question":"q","answer":"\\ud83d"}',
  list: '{"question":"q","answer":["a"]}',
  twice: '{"question":"q","question":"q","answer":"a"}',
};
const good = questions(3000).map((row) => JSON.stringify(row));
const lines = good.flatMap((line, index) => [line, ...(index === 1500 ? Object.values(bad) : [])]);
const dir = await writeFiles({ 'rows.jsonl': lines.join('\n') });
const path = join(dir, 'rows.jsonl');

test('one bad row stops the run, by name', async () => {
  await expect(build({ datasetsConfig: { misc: [path] } })).rejects.toMatchObject({
    code: 'DATASET_INVALID',
    message: expect.stringMatching(/row 1501 \(.*rows\.jsonl line 1502\) could not be read: .*valid JSON/),
  });
});

test.each([undefined, 'tokens'])('skip leaves them out, counts and lists them (cache %s)', async (cache) => {
  const cacheDir = cache === undefined ? null : join(dir, cache);
  const settings = { datasetsConfig: { misc: [path] }, datasetsKwargs: { [path]: { onBadRow: 'skip' } } };
  for (let time = 0; time < (cache === undefined ? 1 : 2); time++) {
    const { report, train } = await build({ ...settings, cacheDir });
    expect(train).toHaveLength(2850);
    expect(report[0]).toMatchObject({ train: 2850, eval: 150, skippedBad: 5 });
    expect(report[0]!.badRows.map(({ where }) => where)).toEqual(
      [0, 1, 2, 3, 4].map((index) => `row ${1501 + index} (${path} line ${1502 + index})`),
    );
    expect(report[0]!.badRows.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('valid JSON'),
      expect.stringContaining('column "answer" to be a string but found null'),
      expect.stringContaining('U+D83D'),
      expect.stringContaining('an array of 1'),
      expect.stringContaining('"question" twice'),
    ]);
  }
  // Tokens that were kept of a run that skipped do not hide the rows from one that stops.
  await expect(build({ datasetsConfig: { misc: [path] }, cacheDir })).rejects.toThrow(/line 1502/);
});

test('the preview counts them too', async () => {
  const options = { tokenizer, rows: 1, counted: Infinity, datasetsConfig: { misc: [path] } };
  const [preview] = await previewDatasets({
    ...options,
    datasetsKwargs: { [path]: { on_bad_row: 'skip' } },
  });
  expect(preview).toMatchObject({ usable: 3000, bad: 5, counted: 3005 });
  await expect(previewDatasets(options)).rejects.toThrow(/line 1502/);
});

test('a chat that the template refuses is a bad row, a function that fails too', async () => {
  const turns = (role: string) => ({ messages: [{ role, content: 'x' }, ...chat('q', 'a')] });
  const rows = { name: 'mine', train: [turns('system'), turns('assistant'), turns('system')], eval: [] };
  const chatTemplate =
    "{% for message in messages %}{% if loop.first and message.role == 'assistant' %}{{ raise_exception('no') }}" +
    '{% endif %}{{ message.role }}:{{ message.content }}\n{% endfor %}';
  const own = await Tokenizer.fromPretrained(seedDir);
  own.chatTemplate = chatTemplate;
  const datasetsKwargs = { mine: { onBadRow: 'skip' } };
  const refused = await new DatasetMixer({
    tokenizer: own,
    cacheDir: null,
    datasetsKwargs,
    onWarning: () => {},
    datasetsConfig: { misc: [rows] },
  }).build();
  expect(refused.report[0]).toMatchObject({ train: 2, skippedBad: 1 });
  const { report } = await build({
    datasetsConfig: {
      misc: [{ name: 'mine', train: questions(4), eval: [] }],
      dataProcessingFunction: ({ question, answer }: Record<string, string>) => {
        if (question === 'q2?') throw new Error('not this one');
        return [question!, answer!];
      },
    },
    datasetsKwargs,
  });
  expect(report[0]).toMatchObject({
    train: 3,
    badRows: [{ where: 'row 2 of train', reason: 'not this one' }],
  });
});

test('when none is left, the first reason is told', async () => {
  const train = [{ question: 'q', answer: null }];
  await expect(
    build({
      datasetsConfig: { misc: [{ name: 'mine', train, eval: [] }] },
      datasetsKwargs: { mine: { onBadRow: 'skip' } },
    }),
  ).rejects.toThrow(/none is left: of 1 read, .*1 cannot be used.*row 0 of train: .*"answer"/s);
});

test('an empty cell of CSV is no empty answer', async () => {
  const csv = join(await writeFiles({ 'rows.csv': 'question,answer\nq,a\np,\n' }), 'rows.csv');
  await expect(build({ datasetsConfig: { misc: [csv] } })).rejects.toThrow(
    /rows\.csv line 3\).*column "answer" to be a string but found null/,
  );
});

test('numbers of a file arrive as they are written, through threads too', async () => {
  const id = '1187263549871234567';
  const call = `{"role":"assistant","content":"","tool_calls":[{"function":{"arguments":{"9":1.0,"8":${id}}}}]}`;
  const many = Array.from({ length: 2500 }, () => `{"messages":[{"role":"user","content":"q"},${call}]}`);
  const file = join(await writeFiles({ 'calls.jsonl': many.join('\n') }), 'calls.jsonl');
  const chatTemplate =
    '{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}' +
    '{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}';
  const own = await Tokenizer.fromPretrained(seedDir);
  own.chatTemplate = chatTemplate;
  const { train } = await new DatasetMixer({
    tokenizer: own,
    cacheDir: null,
    onWarning: () => {},
    datasetsConfig: { misc: [`${file}:|:3`] },
  }).build();
  expect(own.decode(train[0]!.inputIds)).toContain(`{"9": 1.0, "8": ${id}}`);
});

test('an answer with weight 0 is read, not trained; with generation marks too', async () => {
  const messages = [...chat('q', 'first'), ...chat('r', 'second')];
  messages[1] = { ...messages[1]!, weight: 0 } as (typeof messages)[0];
  const marked = await Tokenizer.fromPretrained(seedDir);
  marked.chatTemplate =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}" +
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}";
  for (const [own, end] of [
    [tokenizer, '<|im_end|>\n'],
    [marked, '<|im_end|>'],
  ] as const) {
    const { train } = await new DatasetMixer({
      tokenizer: own,
      cacheDir: null,
      onWarning: () => {},
      datasetsConfig: { misc: [{ name: 'mine', train: [{ messages }], eval: [] }] },
    }).build();
    const trained = [...train[0]!.labels].filter((label) => label !== -100);
    expect(own.decode(trained, { skipSpecialTokens: false })).toBe(`second${end}`);
    expect(own.decode(train[0]!.inputIds)).toContain('first');
  }
});

test('content in parts is joined where the template takes text alone', async () => {
  const parts = ['one ', 'two'].map((part) => ({ type: 'text', text: part }));
  const messages = [{ role: 'user', content: parts }, chat('', 'a')[1]];
  const { texts } = await build({
    datasetsConfig: { misc: [{ name: 'mine', train: [{ messages }], eval: [] }] },
  });
  expect(texts).toEqual(['<|im_start|>user\none two<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n']);
});

test('plain text is trained whole, and ends', async () => {
  const { train, texts, report } = await build({
    datasetsConfig: { misc: [{ name: 'mine', train: [{ text: 'Once upon a time.', meta: 'x' }], eval: [] }] },
  });
  expect(texts).toEqual(['Once upon a time.<|im_end|>']);
  expect([...train[0]!.labels]).toEqual([...train[0]!.inputIds]);
  expect(report[0]!.ignoredColumns).toEqual(['meta']);
});

test('ignored columns are told once a dataset', async () => {
  const train = [
    { question: 'q', answer: 'a', passage: 'p' },
    { question: 'q', answer: 'a', tags: ['t'] },
  ];
  const { warnings } = await build({ datasetsConfig: { misc: [{ name: 'mine', train, eval: [] }] } });
  expect(warnings).toEqual([expect.stringMatching(/Dataset "mine" .*ignored columns: "passage", "tags"\./)]);
});

test('a processing function from a file', async () => {
  await writeFile(
    join(dir, 'rows.mjs'),
    'export const toPair = (row) => [row.ask, `${row.score}`];\nexport const no = 1;\n',
  );
  await writeFile(join(dir, 'asks.jsonl'), '{"ask":"q","score":1.0}\n');
  const datasetsConfig = (spec: string) => ({
    misc: [{ name: 'mine', train: [{ ask: 'q', score: 5 }], eval: [] }],
    data_processing_function: `${join(dir, 'rows.mjs')}${spec}`,
  });
  const { texts } = await build({ datasetsConfig: datasetsConfig('#toPair') });
  expect(texts).toEqual(['<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n5<|im_end|>\n']);
  for (const spec of ['#toPear', '#no', '']) {
    await expect(build({ datasetsConfig: datasetsConfig(spec) })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/rows\.mjs has no function "\w+"; it exports: .*toPair/),
    });
  }
});

function chat(user: string, assistant: string) {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
}

test('one dataset twice in a style, with another split, and with another number of rows', async () => {
  const folder = await writeFiles({
    'fr/train.jsonl': questions(6, 'f'),
    'fr/test.jsonl': questions(4, 't'),
  });
  const dataset = join(folder, 'fr');
  const misc = [`${dataset}:|:2`, { dataset, trainSplit: 'test', valSplit: 'test' }, `${dataset}:|:1`];
  const { report, train } = await build({ datasetsConfig: { misc } });
  expect(report.map(({ name, train: rows }) => [name, rows])).toEqual([
    [`${dataset} (:|:2)`, 2],
    [`${dataset} (test)`, 3],
    [`${dataset} (:|:1)`, 1],
  ]);
  expect(new Set([...train].map(({ source }) => source)).size).toBe(3);
  await expect(build({ datasetsConfig: { misc: [dataset, dataset] } })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/each dataset once in a style.*another split/s),
  });
  await expect(build({ datasetsConfig: { misc: [{ dataset, trainsplit: 'x' } as never] } })).rejects.toThrow(
    /did you mean "trainSplit"/,
  );
});
