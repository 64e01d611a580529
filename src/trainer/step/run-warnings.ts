import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { WarningEvent } from '../../events/training-event.js';
import { warmupSteps } from './learning-rate.js';
import type { RunProgress } from '../run-progress.js';

interface Facts {
  /** As the engine names it. */
  device: string;
  outputDir: string | undefined;
  hasEvalDataset: boolean;
  hasTrackers: boolean;
  /** Whether the precision was left to the library: nothing else was asked for then. */
  hasDefaultPrecision: boolean;
  /** Whether a subclass has a schedule of its own. */
  hasOwnSchedule: boolean;
  /** What there is to say of rows with more tokens than the model was made for. */
  longRows: string | undefined;
  progress: Pick<RunProgress, 'step' | 'totalSteps'>;
}

/** What the user of a run should know before its first step. */
export function runWarnings(args: TrainingConfig, precision: Precision, facts: Facts): WarningEvent[] {
  const { outputDir, hasEvalDataset, hasOwnSchedule, progress } = facts;
  const { step, totalSteps } = progress;
  const warnings: WarningEvent[] = [];
  const warn = (code: string, message: string) => warnings.push({ type: 'warning', code, message });
  if (facts.device === 'cpu') warnOfPrecision(args, precision, facts.hasDefaultPrecision, warn);
  if (args.reportTo !== null && args.reportTo !== 'none' && !facts.hasTrackers) {
    warn(
      'REPORT_TO_UNUSED',
      'reportTo has no effect: the trainer was given no trackers. Give it trackers: openTrackers(trainer.args, outputDir), or use trainAdaptively.',
    );
  }
  if (outputDir === undefined && args.saveStrategy === 'steps' && totalSteps >= args.saveSteps)
    warn('NO_CHECKPOINTS', 'No checkpoints are written: the trainer was given no outputDir.');
  if (step > 0 && step >= totalSteps) {
    warn(
      'NOTHING_LEFT_TO_TRAIN',
      `The run goes on from step ${step} and ends after ${totalSteps}: nothing is left to train. Raise numEpochs or maxSteps to train further.`,
    );
  }
  const warmup = warmupSteps(args, totalSteps);
  if (warmup >= totalSteps && warmsUp(args) && !hasOwnSchedule) {
    warn(
      'WARMUP_LONGER_THAN_RUN',
      `The learning rate rises for ${warmup} steps (warmupSteps), but the run ends after ${totalSteps}: it never reaches ${args.learningRate}. Lower warmupSteps, or train for longer.`,
    );
  }
  if (facts.longRows !== undefined) warn('LONGER_THAN_POSITIONS', facts.longRows);
  if (!hasEvalDataset && isEvaluationDue(args, totalSteps)) {
    warn(
      'NOTHING_TO_EVALUATE',
      `Nothing will be evaluated: evalStrategy is ${JSON.stringify(args.evalStrategy)}${args.evalOnStart ? ' and evalOnStart true' : ''}, but there are no evaluation rows. Give some, or turn it off.`,
    );
  }
  if (args.earlyStoppingPatience !== null && !args.loadBestModelAtEnd) {
    warn(
      'STOPS_AFTER_ITS_BEST',
      'The run may stop early, and its final model is then that of the last step, not the best one. loadBestModelAtEnd: true takes the best.',
    );
  }
  return warnings;
}

function isEvaluationDue(args: TrainingConfig, totalSteps: number): boolean {
  const { evalStrategy, evalSteps, evalOnStart } = args;
  return evalOnStart || evalStrategy === 'epoch' || (evalStrategy === 'steps' && totalSteps >= evalSteps);
}

function warmsUp({ lrSchedulerType, warmupSteps: steps, learningRate }: TrainingConfig): boolean {
  return (
    lrSchedulerType !== 'constant' &&
    lrSchedulerType !== 'reduce_lr_on_plateau' &&
    steps > 0 &&
    learningRate > 0
  );
}

/** What a precision means on a CPU. */
function warnOfPrecision(
  args: TrainingConfig,
  precision: Precision,
  hasDefaultPrecision: boolean,
  warn: (code: string, message: string) => void,
): void {
  const flag = args.fp16 ? 'fp16' : 'bf16';
  const isFlagged = args.precision === null && !hasDefaultPrecision;
  if (isFlagged && precision === 'fp32') {
    warn(
      'COMPUTES_IN_FLOAT32',
      `This CPU has no instructions for bfloat16: ${flag} computes in float32, which is faster here. precision: 'bf16' insists on bfloat16.`,
    );
  } else if (isFlagged && args.fp16) {
    warn(
      'FP16_COMPUTES_IN_BF16',
      'float16 has no fast path on a CPU: fp16 computes in bfloat16. Set bf16: true to say so yourself.',
    );
  }
  if (precision === 'fp16') {
    warn('FP16_IS_SLOW', 'float16 has no fast path on a CPU: bf16: true is many times faster.');
  } else if (precision !== 'fp32' && !loadAddon().bfloat16Instructions) {
    const gain = precision === 'bf16-true' ? 'less memory at the price of speed' : 'nothing';
    warn(
      'BF16_IS_SLOW',
      `This CPU has no instructions for bfloat16: precision: '${precision}' gains ${gain}. precision: 'fp32' is faster.`,
    );
  }
}
