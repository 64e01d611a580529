import { createHash } from 'node:crypto';
import type { AdaptiveLossConfig, Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { hashRows } from './hash-rows.js';
import type { Fingerprint } from './run-state.js';

/** Settings that decide what every later step does. */
const trainingKeys = [
  ...(['batchSize', 'maxTokensPerBatch', 'gradientAccumulationSteps', 'seed', 'shuffle'] as const),
  ...(['numEpochs', 'maxSteps', 'learningRate', 'lrSchedulerType', 'lrSchedulerKwargs'] as const),
  ...(['warmupSteps', 'minLrRate', 'weightDecay', 'adamBeta1', 'adamBeta2', 'adamEpsilon'] as const),
  ...(['maxGradNorm', 'optimizer', 'momentum'] as const),
] satisfies (keyof TrainingConfig)[];

const lossKeys = [
  ...(['loss', 'topK', 'initialConfidence', 'finalConfidence', 'curriculumEpochs'] as const),
] satisfies (keyof AdaptiveLossConfig)[];

/** `rows`: undefined for a stream, which cannot be compared. */
export async function fingerprint(
  model: CausalLM,
  rows: readonly TrainingRow[] | undefined,
  args: TrainingConfig,
  precision: Precision,
  loss: AdaptiveLossConfig,
): Promise<Fingerprint> {
  const settings = trainingKeys.map((key) => [`args.${key}`, plain(args[key])] as const);
  return {
    // Shapes, and what is computed with them: a checkpoint brings its weights, but not the rope of its model.
    model: hashText(JSON.stringify([model.parameters, model.decoder, model.adapter])),
    trainDataset: rows === undefined ? null : await hashRows(rows),
    ...Object.fromEntries(settings),
    // What is really computed in: fp16 and bf16 leave that to the machine.
    'args.precision': precision,
    ...Object.fromEntries(lossKeys.map((key) => [`adaptiveLoss.${key}`, loss[key]] as const)),
  };
}

/**
 * Compares the run that is to go on with the one that was saved.
 * @throws AdaptiveTrainerError CHECKPOINT_MISMATCH naming everything that differs
 */
export function checkFingerprint(saved: Fingerprint, now: Fingerprint, path: string): void {
  const differences = Object.keys({ ...saved, ...now })
    .filter((key) => saved[key] !== now[key])
    .map((key) => `${key} (${shown(key, saved[key])} in the checkpoint, ${shown(key, now[key])} now)`);
  if (differences.length === 0) return;
  const mend =
    saved['args.precision'] === now['args.precision']
      ? ''
      : `precision: '${saved['args.precision']}' computes as the checkpoint did, on any machine. `;
  throw new AdaptiveTrainerError(
    'CHECKPOINT_MISMATCH',
    `Expected the run that ${path} was saved from, but these differ: ${differences.join(', ')}. ` +
      mend +
      'Set them back to go on, or start anew without resumeFromCheckpoint.',
    { details: { path, differences } },
  );
}

const hashed = new Set(['model', 'trainDataset']);

function shown(key: string, value: unknown): string {
  return hashed.has(key) && typeof value === 'string' ? `#${value.slice(0, 8)}` : String(value ?? 'absent');
}

/** A group of settings is compared as its JSON. */
function plain(value: Fingerprint[string] | object): Fingerprint[string] {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
