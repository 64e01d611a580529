import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { StepEvent } from '../../src/events/training-event.js';

export type RunOptions = Omit<AdaptiveTrainerOptions, 'model'>;

/** Everything off that writes, shuffles, rounds or interrupts. */
export const plainArgs = {
  batchSize: 4,
  gradientAccumulationSteps: 1,
  numEpochs: 1,
  learningRate: 1e-2,
  warmupSteps: 0,
  lrSchedulerType: 'constant',
  optimizer: 'adamw',
  fp16: false,
  shuffle: false,
  gradientCheckpointing: false,
  evalStrategy: 'no',
  saveStrategy: 'no',
} as const;

/** Opens the model, trains it and gives every step. `Trainer` may be a subclass. */
export async function trainRun(
  dir: string,
  options: RunOptions,
  Trainer: typeof AdaptiveTrainer = AdaptiveTrainer,
): Promise<StepEvent[]> {
  const model = await CausalLM.fromPretrained(dir);
  const steps: StepEvent[] = [];
  const trainer = new Trainer({
    ...options,
    model,
    args: { ...plainArgs, ...options.args },
    callbacks: [{ onStepEnd: (step) => void steps.push(step) }, ...(options.callbacks ?? [])],
  });
  try {
    await trainer.train();
  } finally {
    model.dispose();
  }
  return steps;
}

export const losses = (steps: readonly StepEvent[]) => steps.map((step) => step.loss);
export const gradNorms = (steps: readonly StepEvent[]) => steps.map((step) => step.gradNorm);
