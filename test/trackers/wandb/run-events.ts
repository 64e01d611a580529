import type { TrainingEvent } from '../../../src/events/training-event.js';

const statistics = {
  total_tokens: 10,
  already_correct: 4,
  in_top_k: 6,
  outside_top_k: 4,
  training_mask: 5,
  attention_bias_alpha: 1,
  coherence_bias_beta: 1.25,
};

const versions = {
  adaptiveTrainer: '1',
  libtorch: '2',
  node: process.versions.node,
  platform: 'linux-x64',
  cpuCapability: 'AVX2',
};

export interface EventOptions {
  runId?: string;
  firstStep?: number;
  lastStep?: number;
  /** Steps between two logs. */
  every?: number;
  config?: Record<string, unknown>;
  /** Whether the run reaches its end. */
  ends?: boolean;
}

/** The events of a run, as the trainer sends them. The loss of step s is 1 / s. */
export function* runEvents({
  runId = 'run1',
  firstStep = 1,
  lastStep = 30,
  every = 10,
  config = { trainingConfig: { learningRate: 1e-4 }, adaptiveLossConfig: { topK: 8 } },
  ends = true,
}: EventOptions = {}): Generator<TrainingEvent> {
  const about = { runName: 'a run', steps: lastStep, epochs: 1, trainRows: 8, evalRows: 4 };
  const machine = { device: 'cpu', dtype: 'float32', threads: 1, parameters: 5 };
  yield { type: 'samples', rows: [{ source: 'facts', text: 'Hello\n  world' }] };
  const resumed = firstStep > 1 ? { resumedFrom: { path: 'checkpoint', step: firstStep - 1, runId } } : {};
  yield { type: 'start', runId, outputDir: '', config, versions, ...about, ...machine, ...resumed };
  for (let step = firstStep; step <= lastStep; step++) {
    const numbers = {
      step,
      epoch: step / 100,
      loss: 1 / step,
      gradNorm: 2,
      learningRate: 1e-4,
      tokens: 20,
      labelledTokens: 10,
      tokensPerSecond: 100,
      secondsPerStep: 0.2,
      etaSeconds: 1,
      alpha: 1,
      beta: 1.25,
      statistics,
    };
    yield { type: 'step', ...numbers };
    if (step % every !== 0) continue;
    yield { type: 'log', steps: every, ...numbers };
    yield { type: 'adaptive', step, epoch: step / 100, statistics };
    yield {
      type: 'evaluate',
      step,
      epoch: step / 100,
      rows: 4,
      labelledTokens: 9,
      loss: 3 / step,
      perplexity: 2,
      tokenAccuracy: 0.5,
      inTopKShare: 0.6,
      outsideTopKShare: 0.4,
      seconds: 2,
      bySource: {},
      byStyle: {},
    } as TrainingEvent;
  }
  if (!ends) return;
  yield {
    type: 'end',
    path: '',
    steps: lastStep,
    epochs: 1,
    seconds: 4,
    loss: 0.5,
    tokens: 20 * lastStep,
    labelledTokens: 10 * lastStep,
    tokensPerSecond: 100,
  } as TrainingEvent;
}
