import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InspectedRow, TokenJudgements, TokenOutcome } from '../../src/events/token-record.js';
import { randomNumbers } from '../helpers/random.js';

/** How a run that is written for a test is. */
export interface RunShape {
  steps?: number;
  /** Held-out rows that were inspected. */
  rows?: number;
  runName?: string;
  seed?: number;
  learningRate?: number;
  topK?: number;
  /** Text of the trained part of the first rows. */
  texts?: readonly string[];
  /** What stands after the last step; default: the end of a completed run. */
  last?: object | null;
  /** First step whose loss is not finite. */
  divergesAt?: number;
  datasets?: readonly string[];
}

const time = (seconds: number) => new Date(Date.UTC(2026, 0, 5, 9, 0, seconds)).toISOString();

/** Writes the files of a run as the trainer does, with made-up numbers, always the same. Returns the folder. */
export function writeRun(dir: string, shape: RunShape = {}): string {
  const {
    steps = 300,
    runName = 'first try',
    divergesAt = Infinity,
    last,
    datasets = ['data/questions', 'data/facts'],
  } = shape;
  const random = randomNumbers(shape.seed ?? 1);
  const run = `20260105-090000-${runName.length.toString(16).padStart(6, '0')}`;
  mkdirSync(dir, { recursive: true });
  const lines: string[] = [];
  const tell = (seconds: number, event: object) =>
    lines.push(JSON.stringify({ time: time(seconds), run, ...event }));
  tell(0, { type: 'datasets', report: datasets.map((name, i) => datasetReport(name, i)) });
  tell(0, {
    type: 'samples',
    rows: [{ source: datasets[0], text: `user\n${(shape.texts ?? ['What is it?'])[0]}` }],
  });
  tell(1, startEvent(run, runName, dir, shape, steps));
  tell(1, { type: 'warning', code: 'TOP_K', message: 'A warning of the run.' });
  for (let step = 1; step <= steps; step++) {
    const event = stepEvent(step, steps, random, step >= divergesAt, shape);
    tell(step, event);
    if (step % 10 === 0) tell(step, { ...event, type: 'log', steps: 10, memoryBytes: 400e6 + 2e5 * step });
    if (step % Math.ceil(steps / 5) === 0) tell(step, evaluateEvent(step, steps, datasets));
    if (step % Math.ceil(steps / 2) === 0)
      tell(step, { type: 'save', step, path: join(dir, `checkpoint-${step}`) });
  }
  const end = {
    ...{ type: 'end', path: join(dir, 'final_model'), steps, epochs: 2, seconds: steps * 0.9, loss: 12.5 },
    ...{
      tokens: steps * 960,
      labelledTokens: steps * 310,
      tokensPerSecond: 1066.7,
      peakMemoryBytes: 655802368,
    },
  };
  if (last !== null) tell(steps + 1, last ?? end);
  writeFileSync(join(dir, 'metrics.jsonl'), `${lines.join('\n')}\n`);
  if ((shape.rows ?? 0) > 0) writeInspection(join(dir, 'inspection'), shape, datasets, random);
  return dir;
}

function datasetReport(name: string, index: number) {
  return {
    ...{ name, style: index === 0 ? 'ideas' : 'attention', train: 4200 - 900 * index, eval: 200 },
    ...{ droppedTooLong: index === 0 ? 12 : 0, droppedNoTrainedToken: 0, skippedByFunction: 3 * index },
    ...{ skippedBad: 0, badRows: [], ignoredColumns: ['id'], trimmedTo: null, evalFrom: 'split' },
    ...{ tokens: 301_220, trainedTokens: 92_113, systemPrompt: '' },
  };
}

function startEvent(runId: string, runName: string, outputDir: string, shape: RunShape, steps: number) {
  const { learningRate = 5e-4, topK = 8 } = shape;
  return {
    ...{ type: 'start', runName, runId, outputDir, steps, epochs: 2, trainRows: 7500, evalRows: 400 },
    config: {
      modelName: 'models/small',
      outputDir,
      trainingConfig: { batchSize: 32, learningRate, numEpochs: 2 },
      adaptiveLossConfig: { topK, adaptiveLogSteps: 100, loss: 'adaptive' },
      peftConfig: null,
    },
    versions: {
      adaptiveTrainer: '0.1.0',
      libtorch: '2.13.0',
      node: '20.19.0',
      platform: 'linux-x64',
      cpuCapability: 'AVX2',
    },
    ...{ tokensPerEpoch: 301_220, device: 'cpu', dtype: 'float32', threads: 2, parameters: 134_515_008 },
    memory: {
      weights: 5e8,
      gradients: 5e8,
      optimizer: 1e9,
      activations: 2e8,
      lossChunk: 3e7,
      base: 1e8,
      total: 2.33e9,
      available: 2e10,
    },
  };
}

function stepEvent(
  step: number,
  steps: number,
  random: () => number,
  isBad: boolean,
  { learningRate = 5e-4 }: RunShape,
) {
  const done = step / steps;
  const noise = random() - 0.5;
  const total = 280 + Math.floor(60 * random());
  const correct = Math.round(total * (0.24 + 0.36 * (1 - Math.exp(-4 * done)) + 0.06 * noise));
  const within = Math.min(total, correct + Math.round(total * 0.24));
  return {
    ...{ type: 'step', step, epoch: 2 * done },
    loss: isBad ? null : 14.2 + 3.6 * Math.exp(-6 * done) + 1.4 * noise,
    gradNorm: isBad ? null : 4 + 9 * Math.exp(-5 * done) + 2 * random() + (step % 97 === 0 ? 12 : 0),
    learningRate: learningRate * Math.min(1, step / 30) * (0.5 + 0.5 * Math.cos(Math.PI * done)),
    ...{
      tokens: 900 + Math.floor(120 * random()),
      labelledTokens: total,
      tokensPerSecond: 1000 + 140 * noise,
    },
    ...{ alpha: 1 - 0.2 * done, beta: 1 + 0.3 * done, secondsPerStep: 0.9, etaSeconds: (steps - step) * 0.9 },
    statistics: {
      ...{ total_tokens: total, already_correct: correct, in_top_k: within, outside_top_k: total - within },
      ...{
        training_mask: total - within,
        attention_bias_alpha: 1 - 0.2 * done,
        coherence_bias_beta: 1 + 0.3 * done,
      },
    },
  };
}

function evaluateEvent(step: number, steps: number, datasets: readonly string[]) {
  const done = step / steps;
  const metrics = (offset: number, rows: number) => {
    const loss = 1.1 + offset + 1.3 * Math.exp(-3 * done);
    const tokenAccuracy = 0.66 - 0.2 * offset - 0.25 * Math.exp(-3 * done);
    const inTopKShare = tokenAccuracy + 0.21;
    return {
      ...{ rows, labelledTokens: rows * 9, loss, perplexity: Math.exp(loss), tokenAccuracy },
      ...{ inTopKShare, outsideTopKShare: 1 - inTopKShare },
    };
  };
  const bySource = Object.fromEntries(datasets.map((name, i) => [name, metrics(i * 0.8, 200)]));
  return {
    ...{
      type: 'evaluate',
      step,
      epoch: 2 * done,
      ...metrics(0.4, 400),
      adaptiveLoss: 13 - done,
      seconds: 2.25,
    },
    ...{ bySource, byStyle: { ideas: metrics(0, 200), attention: metrics(0.8, 200) } },
    forgetting: 0.02 + 0.05 * done,
  };
}

const words =
  'the a kind of bird that swims with long neck and short legs is used for act or state small stone river'.split(
    ' ',
  );

function writeInspection(dir: string, shape: RunShape, datasets: readonly string[], random: () => number) {
  mkdirSync(dir, { recursive: true });
  const pick = () => words[Math.floor(random() * words.length)]!;
  const rows: InspectedRow[] = [];
  const before: TokenJudgements[] = [];
  const after: TokenJudgements[] = [];
  for (let row = 0; row < shape.rows!; row++) {
    const head = ['user', '\n', 'What', ' is', ` ${pick()}`, '?', '\n', 'assistant', '\n'];
    const own = shape.texts?.[row];
    const body =
      own === undefined
        ? Array.from({ length: 6 + Math.floor(14 * random()) }, (_, i) => `${i ? ' ' : ''}${pick()}`)
        : [own, '.'];
    const which = row % datasets.length;
    const pieces = [...head, ...body];
    const trained = body.map((_, i) => head.length + i);
    rows.push({
      set: 'eval',
      dataset: datasets[which]!,
      style: which === 0 ? 'ideas' : 'attention',
      row,
      pieces,
      trained,
    });
    before.push(judge(row, trained.length, random, pick, 0.3));
    after.push(judge(row, trained.length, random, pick, 0.6));
  }
  const put = (name: string, list: readonly object[]) =>
    writeFileSync(join(dir, name), list.map((one) => `${JSON.stringify(one)}\n`).join(''));
  put('rows.jsonl', rows);
  put('before.jsonl', before);
  put('after.jsonl', after);
  writeFileSync(join(dir, 'comparison.json'), JSON.stringify(comparison(datasets)));
  writeFileSync(join(dir, 'answers.json'), JSON.stringify(answers(shape, datasets)));
}

function judge(
  row: number,
  count: number,
  random: () => number,
  pick: () => string,
  skill: number,
): TokenJudgements {
  const outcome = Array.from({ length: count }, (): TokenOutcome =>
    random() < skill ? 0 : random() < 0.5 ? 1 : 2,
  );
  const nll = outcome.map((one) =>
    Number((one === 0 ? 0.4 * random() : 1 + 4 * random() + one).toPrecision(4)),
  );
  return {
    ...{ set: 'eval', row, outcome, nll },
    probability: nll.map((value) => Number(Math.exp(-value).toPrecision(4))),
    rank: outcome.map((one) =>
      one === 0 ? 1 : one === 1 ? 2 + Math.floor(6 * random()) : 9 + Math.floor(900 * random()),
    ),
    choices: outcome.map(() =>
      Array.from({ length: 5 }, (_, i) => [` ${pick()}`, Number((0.5 / (i + 1)).toPrecision(4))]),
    ),
  };
}

function comparison(datasets: readonly string[]) {
  const numbers = (nll: number, correct: number) => ({
    nll,
    perplexity: Math.exp(nll),
    correct,
    inTopK: 0.2,
    outside: 0.8 - correct,
  });
  const group = (
    name: string,
    set: string,
    from: [number, number],
    to: [number, number],
    verdict: string,
  ) => {
    const change = to[0] - from[0];
    return {
      ...{ name, set, rows: 200, tokens: 1800, before: numbers(...from), after: numbers(...to), verdict },
      nllChange: { value: change, low: change - 0.05, high: change + 0.05 },
      correctChange: { value: to[1] - from[1], low: to[1] - from[1] - 0.02, high: to[1] - from[1] + 0.02 },
      ...(set === 'eval' ? { style: name === datasets[0] ? 'ideas' : 'attention' } : {}),
    };
  };
  return {
    topK: 8,
    groups: [
      ...datasets.map((name, i) => group(name, 'eval', [2.4 + i, 0.3], [1.5 + i, 0.52], 'gained')),
      group('general English', 'retention', [3.2, 0.41], [3.31, 0.4], 'lost'),
      group('conversation', 'retention', [2.1, 0.5], [2.09, 0.5], 'same'),
    ],
  };
}

function answers({ texts = [] }: RunShape, datasets: readonly string[]) {
  return [
    {
      dataset: datasets[0],
      prompt: [{ role: 'user', content: 'What kind of thing is a heron?' }],
      expected: 'animal',
      before: 'a kind of',
      after: 'animal',
    },
    {
      dataset: datasets.at(-1),
      prompt: [{ role: 'user', content: 'What does longbeard mean?' }],
      expected: 'a stoneware drinking jug with a long neck',
      before: 'the state of being long',
      after: 'a jug with a long neck',
    },
    ...texts.map((text) => ({ dataset: datasets[0], prompt: text, before: text, after: text })),
  ];
}
