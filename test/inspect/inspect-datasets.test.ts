import { beforeEach, describe, expect, it } from 'vitest';
import type { DatasetEntry } from '../../src/config/datasets/datasets-config.js';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { DatasetMixer } from '../../src/data/dataset-mixer.js';
import { inspectDatasets } from '../../src/inspect/inspect-datasets.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { trainingTokenizer } from '../../src/tokenizer/training-tokenizer.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { sums, sumsModel, sumsOptions } from './sums-run.js';

let folder: string;
beforeEach(() => void (folder = tempDir()));
const quiet = { progress: false } as const;
const withData = (ideas: DatasetEntry[]) => ({ ...sumsOptions(folder), datasetsConfig: { ideas } });

describe('inspectDatasets', () => {
  it('gives the shares that the logits say', async () => {
    const options = sumsOptions(folder);
    const report = await inspectDatasets(sumsModel(folder), options, quiet);
    expect(report).toMatchObject({ kind: 'inspect', loss: 'adaptive', topK: 3 });
    expect(
      report.datasets.map(({ name, style, trainRows, evalRows, judgedRows }) => [
        name,
        style,
        trainRows,
        evalRows,
        judgedRows,
      ]),
    ).toEqual([
      ['sums', 'ideas', 24, 9, 24],
      ['words', 'attention', 10, 6, 10],
    ]);
    const tokenizer = await trainingTokenizer(sumsModel(folder), null, () => {});
    const [plan] = parseConfig(options).datasets;
    const { train } = await new DatasetMixer({ datasetsConfig: [plan!], tokenizer }).build();
    const model = await CausalLM.fromPretrained(sumsModel(folder));
    const ranks: number[] = [];
    let nll = 0;
    for (const { inputIds, labels } of train) {
      const { data } = await model.logits([inputIds]);
      for (let t = 0; t + 1 < labels.length; t++) {
        if (labels[t + 1] === -100) continue;
        const z = [...data.subarray(t * model.vocabSize, (t + 1) * model.vocabSize)];
        const own = z[labels[t + 1]!]!;
        ranks.push(z.filter((one) => one > own).length);
        const top = Math.max(...z);
        nll += top + Math.log(z.reduce((sum, one) => sum + Math.exp(one - top), 0)) - own;
      }
    }
    model.dispose();
    const [found] = report.datasets;
    expect(found!.judgedTokens).toBe(ranks.length);
    expect(found!.nll).toBeCloseTo(nll / ranks.length, 5);
    for (const { k, share } of found!.inTop)
      expect(share).toBeCloseTo(ranks.filter((rank) => rank < k).length / ranks.length, 12);
    expect(found!.answers).toBe(24);
  });

  it('finds rows that are there twice, and those that are held out and trained', async () => {
    const train = [
      ...sums(0, 20),
      ...sums(3, 2),
      { question: '7 PLUS 1', answer: '8' },
      { question: '8 plus 1?', answer: '7.' },
    ];
    const evaluation = [...sums(60, 3), ...sums(5, 2), { question: '9 plus 1', answer: '10' }];
    const other = { name: 'more', train: sums(100, 20), eval: sums(2, 1) };
    const { datasets, notes } = await inspectDatasets(
      sumsModel(folder),
      withData([{ name: 'sums', train, eval: evaluation }, other]),
      quiet,
    );
    const { duplicates, contradicted } = datasets[0]!;
    expect(duplicates).toMatchObject({ rows: 24, exact: { rows: 2 }, near: { rows: 1 }, evalRows: 6 });
    expect(duplicates).toMatchObject({ leaked: { rows: 2 }, leakedNear: { rows: 1 } });
    expect(duplicates.exact.examples[0]).toMatchObject({ answer: expect.stringContaining('4.') as string });
    expect(contradicted.rows).toBe(2);
    // Held out here, trained in the other dataset.
    expect(datasets[1]!.duplicates).toMatchObject({ exact: { rows: 0 }, leaked: { rows: 1 } });
    expect(notes.join(' ')).toContain('4 evaluation rows stand among the training rows');
  });

  it('judges some of the rows where there are more, and says so', async () => {
    const options = withData([{ name: 'sums', train: sums(0, 60), eval: [] }]);
    const { datasets, notes } = await inspectDatasets(sumsModel(folder), options, { ...quiet, rows: 7 });
    expect(datasets[0]).toMatchObject({ trainRows: 60, judgedRows: 7, evalRows: 0 });
    expect(notes.join(' ')).toContain('7 training rows');
    const whole = await inspectDatasets(sumsModel(folder), options, { ...quiet, rows: Infinity });
    expect(whole.datasets[0]!.judgedRows).toBe(60);
    expect(whole.notes.join(' ')).not.toContain('--rows');
  });

  it('finds a row that is nothing like the rest', async () => {
    // Rows that the model says itself, greedily, and one of noise.
    const dir = sumsModel(folder);
    const model = await CausalLM.fromPretrained(dir);
    const tokenizer = await trainingTokenizer(dir, null, () => {});
    const train: { question: string; answer: string }[] = [];
    for (const { question } of sums(0, 40)) {
      const chat = tokenizer.renderChat([{ role: 'user', content: question }], {
        addGenerationPrompt: true,
      });
      const ids = await model.generate(tokenizer.encode(chat), { maxNewTokens: 12 }).collect();
      train.push({ question, answer: tokenizer.decode(ids).trim() || 'nothing' });
    }
    model.dispose();
    train.push({ question: '99 plus 1?', answer: 'qzx vvk jjjq wwwx zzkp qqqq' });
    const { datasets } = await inspectDatasets(dir, withData([{ name: 'a', train, eval: [] }]), quiet);
    const { noise } = datasets[0]!;
    expect(noise.examples[0]!.answer).toContain('qzx');
    expect(noise.examples[0]!.nll).toBeGreaterThan(datasets[0]!.nll);
    expect(noise.rows).toBeLessThan(10);
  });

  it('ends when it is aborted, and says what is wrong with a configuration', async () => {
    const options = sumsOptions(folder);
    await errorOf(
      () => inspectDatasets(sumsModel(folder), options, { ...quiet, signal: AbortSignal.abort() }),
      'ABORTED',
    );
    await errorOf(
      () => inspectDatasets(sumsModel(folder), options, { ...quiet, rows: 0.5 }),
      'INVALID_INPUT',
    );
    const faulty = { ...options, adaptiveLossConfig: { topK: 0 } };
    await errorOf(() => inspectDatasets(sumsModel(folder), faulty, quiet), 'CONFIG_INVALID');
  });
});
