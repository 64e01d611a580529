import { createHash } from 'node:crypto';
import type { AdaptiveLossConfig, Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import { retentionSchema } from '../../config/schema/retention.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { optimizerRequest } from '../step/optimizer-request.js';
import { weightsFingerprint } from '../../model/files/weights-fingerprint.js';
import { effects, type Effect } from './effects.js';
import { hashRows } from './hash-rows.js';
import type { Fingerprint } from './run-state.js';

/** Longer values are compared, and shown, as a hash. */
const longestValue = 60;

/** The groups of settings, under the names that messages give them. */
const groups = {
  args: effects.trainingConfig,
  adaptiveLoss: effects.adaptiveLossConfig,
  adapter: effects.peftConfig,
} satisfies Record<string, Record<string, Effect>>;

/**
 * What is compared when a run is gone on with, each part under its own name. No path is in it: a model and a run may move.
 * @param rows undefined for a stream, which cannot be compared
 */
export async function fingerprint(
  model: CausalLM,
  rows: readonly TrainingRow[] | undefined,
  args: TrainingConfig,
  precision: Precision,
  adaptiveLoss: AdaptiveLossConfig,
): Promise<Fingerprint> {
  const { adapter, decoder, dir, parameters, quantization } = model;
  const { retention, ...withoutRetention } = args;
  // ignoreDropout is compared among the settings.
  const { attentionDropout: _a, residualDropout: _r, embeddingDropout: _e, ...computed } = decoder;
  return {
    // What is computed with the weights: a checkpoint brings these, but not the rope of its model.
    ...named('model', computed),
    'model.parameters': short(parameters),
    // The frozen weights are in no checkpoint.
    ...(adapter && { 'base.weights': hashed((await weightsFingerprint(dir)) ?? 'none') }),
    // How the base was quantised, to the last bit.
    ...(quantization && { 'base.quantized': await model.call((native) => native.weightsDigest()) }),
    ...(adapter && { 'adapter.weights': short(adapter.trainable) }),
    ...(adapter && settings('adapter', adapter.config)),
    'trainDataset.rows': rows?.length ?? null,
    'trainDataset.content': rows === undefined ? null : hashed(await hashRows(rows)),
    // What is really computed in: fp16 and bf16 leave that to the machine.
    ...settings('args', { ...withoutRetention, precision, optimizer: optimizerForm(args) }),
    ...retentionSettings(retention),
    ...settings('adaptiveLoss', adaptiveLoss),
  };
}

/** A part that is not as in the checkpoint. */
export interface Difference {
  key: string;
  effect: Effect;
  /** Its name with both values. */
  text: string;
}

/**
 * Compares the run that is to go on with the one that was saved.
 * @returns what differs and may
 * @throws AdaptiveTrainerError CHECKPOINT_MISMATCH naming everything that must not differ
 */
export function compareFingerprints(saved: Fingerprint, now: Fingerprint, path: string): Difference[] {
  const differences = Object.keys({ ...saved, ...now })
    .filter((key) => saved[key] !== now[key])
    // A setting that the library did not have then is now at what it did then.
    .filter((key) => !isSetting(key) || (key in saved && key in now))
    .map((key) => ({
      key,
      effect: effectOf(key),
      text: `${key} (${String(saved[key] ?? 'none')} in the checkpoint, ${String(now[key] ?? 'none')} now)`,
    }));
  const refused = differences.filter(({ effect }) => effect === 'past');
  if (refused.length > 0) throw mismatch(path, refused);
  return differences;
}

/** @param refused what cannot be gone on with */
export function mismatch(
  path: string,
  refused: readonly Pick<Difference, 'text'>[],
  hint = '',
): AdaptiveTrainerError {
  const differences = refused.map(({ text }) => text);
  return new AdaptiveTrainerError(
    'CHECKPOINT_MISMATCH',
    `Expected the run that ${path} was saved from, but these differ: ${differences.join(', ')}. ` +
      `Set them back to go on, or start anew without resumeFromCheckpoint.${hint}`,
    { details: { path, differences } },
  );
}

/** Optimizers of the same form read each other's state. */
function optimizerForm(args: TrainingConfig): string {
  const { name, momentum, rmsprop } = optimizerRequest(args);
  const parts = [...(momentum > 0 ? ['momentum'] : []), ...(rmsprop?.centered === true ? ['centered'] : [])];
  return parts.length > 0 ? `${name} with ${parts.join(' and ')}` : name;
}

function settings(group: keyof typeof groups, values: object): Fingerprint {
  const known: Record<string, Effect> = groups[group];
  const compared = Object.entries(values).filter(([key]) => isCompared(known[key]));
  return named(group, Object.fromEntries(compared));
}

/** One by one, so that a message names what changed. Where its text comes from is a path, and rows are compared themselves. */
function retentionSettings(retention: TrainingConfig['retention']): Fingerprint {
  const { source: _source, ...names } = retentionSchema.shape;
  const keys = Object.keys(names) as (keyof typeof names)[];
  return Object.fromEntries(keys.map((key) => [`args.retention.${key}`, retention?.[key] ?? null]));
}

function isCompared(effect: Effect | undefined): boolean {
  return effect === 'past' || effect === 'order' || effect === 'future';
}

function isSetting(key: string): boolean {
  return key.startsWith('args.') || key.startsWith('adaptiveLoss.');
}

function effectOf(key: string): Effect {
  const [group, name] = key.split('.') as [string, string];
  // Whatever is no setting is the model or the data.
  return (groups as Record<string, Record<string, Effect>>)[group]?.[name] ?? 'past';
}

function named(group: string, values: object): Fingerprint {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${group}.${key}`, short(value)]));
}

/** A value that `===` compares. */
function short(value: unknown): Fingerprint[string] {
  if (typeof value !== 'object' || value === null) return (value ?? null) as Fingerprint[string];
  const text = JSON.stringify(value);
  return text.length > longestValue ? hashed(text) : text;
}

function hashed(text: string): string {
  return `#${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}
