// One rank of a training: trains as its argument says, and prints what it found as JSON.
import { setTimeout } from 'node:timers/promises';
import type { AdaptiveTrainerError } from '../../src/errors.js';
import type { RunningTrainer } from '../../src/trainer/trainer-callback.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { QuantizationOptions } from '../../src/model/quantization/quantization.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { MemoryReport } from '../../src/events/memory-report.js';
import type { StepEvent } from '../../src/events/training-event.js';
import type { TokenBatch, TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { tempDir } from '../helpers/temp-dir.js';
import { trainingRows } from '../helpers/training-rows.js';
import { plainArgs } from '../helpers/train-run.js';

export interface RankRun {
  dir: string;
  /** Default: that of `auto`. */
  device?: string;
  quantization?: QuantizationOptions;
  args: object;
  adaptiveLoss?: object;
  rows: number;
  evalRows?: number;
  outputDir?: string;
  weighted?: boolean;
  adapter?: object;
  evaluates?: boolean;
  streamed?: boolean;
  texts?: number;
  /** Tells what the engine and the process hold. */
  measures?: boolean;
  /** Asks the run to save after step 1, at rank 0. */
  asksToSave?: boolean;
  resume?: boolean;
  /** Writes each step to standard error. */
  tells?: boolean;
  /** What rank 1 does after step 3. */
  atRank1?: 'throws' | 'hangs' | 'stops';
  /** Milliseconds that every step takes longer, for kills and signals to find it. */
  pause?: number;
  /** The one rank whose steps do; default: all. */
  pauseOf?: number;
  /** Styles of the rows in order, to spread them unevenly. */
  styles?: readonly ('ideas' | 'attention' | 'both' | 'misc')[];
}

/** Weights that depend on where a token stands among all of the micro-batch. */
class WeightedTrainer extends AdaptiveTrainer {
  protected override tokenWeights(
    { confidence, rank }: TokenStatisticsArrays,
    batch: TokenBatch,
  ): Float32Array {
    const n = confidence.length;
    return confidence.map(
      (p, i) => ((1 - p) * (1 + (i % 3)) * (rank[i]! > 2 ? 2 : 1) * (batch.rows[i]! + 1)) / n,
    );
  }
}

/** Goes wrong at rank 1, as it is told to. */
function afterStep(step: number, trainer: RunningTrainer): void | Promise<void> {
  if (step !== 3 || trainer.ranks.rank !== 1) return;
  if (run.atRank1 === 'hangs') for (;;);
  if (run.atRank1 === 'stops') trainer.stop();
}

class FailingTrainer extends AdaptiveTrainer {
  protected override onStepEnd({ step }: StepEvent): void {
    if (step === 3 && this.ranks.rank === 1) throw new RangeError('something of its own');
  }
}

const run = JSON.parse(process.argv[2]!) as RankRun;
loadAddon();
/** Bytes of Node and libtorch, without a model. */
const empty = process.memoryUsage.rss();
const model = await CausalLM.fromPretrained(run.dir, {
  ...(run.device === undefined ? {} : { device: run.device }),
  ...(run.adapter === undefined ? {} : { adapter: run.adapter }),
  ...(run.quantization === undefined ? {} : { quantization: run.quantization }),
});
const rows = trainingRows(run.rows, model.vocabSize, 3, 24).map((row, i) =>
  run.styles === undefined ? row : { ...row, learningStyle: run.styles[i % run.styles.length]! },
);
const stream = {
  [Symbol.asyncIterator]: async function* () {
    yield* rows;
  },
};
const steps: StepEvent[] = [];
const warnings: string[] = [];
let held: object | undefined;
let estimate: MemoryReport | undefined;
const Trainer = run.weighted ? WeightedTrainer : run.atRank1 === 'throws' ? FailingTrainer : AdaptiveTrainer;
const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
// A limit on the size of files (full-disk.test.ts) fails a write instead of ending the process.
if (process.platform === 'linux') process.on('SIGXFSZ', () => {});
const trainer = new Trainer({
  model,
  trainDataset: run.streamed ? stream : rows,
  ...(run.evalRows === undefined ? {} : { evalDataset: trainingRows(run.evalRows, model.vocabSize, 9, 30) }),
  retentionCache: tempDir(),
  ...(run.texts === undefined ? {} : { retentionDataset: trainingRows(run.texts, model.vocabSize, 17, 30) }),
  ...(run.outputDir === undefined ? {} : { outputDir: run.outputDir }),
  args: { ...plainArgs, ...run.args },
  adaptiveLoss: run.adaptiveLoss ?? {},
  signal: controller.signal,
  callbacks: [
    {
      onStart: ({ memory }) => void (estimate = memory),
      onWarning: ({ code }) => void warnings.push(code),
      async onStepEnd(step, trainer) {
        steps.push(step);
        if (run.measures) held = await trainer.model.call((native) => native.memory());
        if (run.asksToSave && step.step === 1 && trainer.ranks.isFirst) void trainer.save();
        if (run.tells) process.stderr.write(`step ${step.step}\n`);
        if (run.pauseOf === undefined || run.pauseOf === trainer.ranks.rank) await setTimeout(run.pause ?? 0);
        await afterStep(step.step, trainer);
      },
    },
  ],
});
try {
  const end = await trainer.train(run.resume ? { resumeFromCheckpoint: true } : {});
  const evaluations = run.evaluates ? [await trainer.evaluate()] : [];
  const digest = await model.call((native) => native.weightsDigest());
  const found = steps.map(({ step, loss, gradNorm, alpha, beta, tokens, labelledTokens, divergence }) => ({
    ...{ step, loss, gradNorm, alpha, beta, tokens, labelledTokens, divergence },
  }));
  const memory = run.measures && { held, estimate, empty, peak: process.resourceUsage().maxRSS * 1024 };
  console.log(
    JSON.stringify({
      ...{ rank: trainer.ranks.rank, device: model.device, end, digest, evaluations, warnings, memory },
      steps: found,
    }),
  );
} catch (error) {
  const { code, message, details } = error as AdaptiveTrainerError;
  console.log(JSON.stringify({ rank: trainer.ranks.rank, code, message, details, steps: steps.length }));
  process.exitCode = 1;
}
model.dispose();
