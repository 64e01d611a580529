import { shownJson } from '../../common/shown-json.js';
import { checkLrSchedule } from './check-lr-schedule.js';
import type { z } from 'zod';
import { noteDefaultPrecision } from './default-precision.js';
import type { DatasetPlan } from '../datasets/dataset-plan.js';
import type { Planner } from '../datasets/read-plans.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';
import { configPath } from './config-path.js';
import type { OptimArgs } from '../schema/config-input.js';
import type { TrainingConfig } from '../schema/parsed-config.js';
import { greaterIsBetter } from '../schema/metric-names.js';
import { readBestModel } from './read-best-model.js';
import { readOptimArgs } from './read-optim-args.js';
import { readGroupKeys } from './read-group-keys.js';
import { refuseNotAvailable } from './refuse-not-available.js';
import { readLaunch } from '../../ranks/launch.js';
import { readRetention } from './read-retention.js';
import { trainingConfigSchema } from '../schema/training-config.js';

/** What was read of a training configuration. */
export interface TrainingParts {
  /** Undefined where there was a fault. */
  config: TrainingConfig | undefined;
  /** Those that `retention` names. */
  retentionDatasets: readonly DatasetPlan[];
  /** `retention` was given as false. */
  refusesRetention: boolean;
}

/** Reads a training configuration: values, what is not available, and what excludes each other. */
export function readTrainingConfig(
  reader: ConfigReader,
  value: unknown,
  path: string,
  env: NodeJS.ProcessEnv,
  planner: Planner,
): TrainingParts {
  const given = readGroupKeys(reader, 'trainingConfig', value, path);
  given.delete('outputDir');
  const optimizer = given.get('optimizer')?.value;
  refuseNotAvailable(reader, 'trainingConfig', given);
  readOptimArgs(reader, given, optimizer);
  checkTogether(reader, given, path);
  readBestModel(reader, given, path);
  checkEnvironment(reader, given, path, env);
  const { retention, isRefused: refusesRetention, datasets } = readRetention(reader, given, planner);
  const read = reader.read(trainingConfigSchema, given, path);
  const config = read === undefined ? undefined : { ...filledIn(read), retention };
  if (config !== undefined && !namesPrecision(given)) noteDefaultPrecision(config);
  return { config, retentionDatasets: datasets, refusesRetention };
}

/** What follows from other settings where it is not given. */
function filledIn(read: z.output<typeof trainingConfigSchema>): Omit<TrainingConfig, 'retention'> {
  // The caller has looked for outputDir already, here and beside the training configuration.
  const { betas, warmupRatio, outputDir: _outputDir, bnb4bitComputeDtype, optimArgs, ...config } = read;
  const fp16 = config.fp16 ?? !config.bf16;
  const ofBase = bnb4bitComputeDtype === null ? null : computePrecision[bnb4bitComputeDtype];
  const precision = config.precision ?? ofBase ?? (config.bf16 || fp16 ? null : 'fp32');
  return {
    ...config,
    // Text has become an object before.
    optimArgs: optimArgs as OptimArgs,
    precision,
    ...(precision === null
      ? { fp16, bf16: config.bf16 }
      : { fp16: precision === 'fp16', bf16: precision.startsWith('bf16') }),
    evalBatchSize: config.evalBatchSize ?? config.batchSize,
    evalSteps: config.evalSteps ?? config.loggingSteps,
    greaterIsBetter: config.greaterIsBetter ?? greaterIsBetter.has(config.metricForBestModel),
    warmupSteps: warmupRatio ?? config.warmupSteps,
    adamBeta1: betas?.[0] ?? config.adamBeta1,
    adamBeta2: betas?.[1] ?? config.adamBeta2,
  };
}

function namesPrecision(given: GivenKeys): boolean {
  return (['precision', 'fp16', 'bf16'] as const).some((name) => (given.get(name)?.value ?? null) !== null);
}

/** What a base in 4 bits is computed in, as a precision. */
const computePrecision = { float32: 'fp32', bfloat16: 'bf16' } as const;

/** What is said of a base in fewer bits. */
function checkBits(given: GivenKeys, contradiction: (at: string, message: string) => void): void {
  const [four, eight] = [given.get('loadIn4bit'), given.get('loadIn8bit')];
  if (four?.value === true && eight?.value === true)
    contradiction(
      eight.path,
      `expected at most one of loadIn4bit and loadIn8bit to be true, received both; remove ${four.path} or this`,
    );
  const scratch = given.get('fromScratch');
  for (const bits of [four, eight])
    if (bits?.value === true && scratch?.value === true)
      contradiction(bits.path, `expected false or nothing, since ${scratch.path} has all weights trained`);
  const compute = given.get('bnb4bitComputeDtype');
  const type = compute?.value;
  const wanted = type === 'float32' || type === 'bfloat16' ? computePrecision[type] : undefined;
  if (compute === undefined || wanted === undefined) return;
  for (const name of ['precision', 'fp16', 'bf16'] as const) {
    const other = given.get(name);
    const agrees =
      name === 'precision'
        ? typeof other?.value !== 'string' || other.value.startsWith(wanted)
        : other?.value !== true || wanted === 'bf16';
    if (other !== undefined && !agrees)
      contradiction(compute.path, `expected what ${other.path} says or nothing, received ${type}; remove it`);
  }
}

function checkTogether(reader: ConfigReader, given: GivenKeys, path: string): void {
  const contradiction = (at: string, message: string) =>
    reader.faults.push({ path: at, code: 'CONTRADICTION', message });
  const fp16 = given.get('fp16');
  const bf16 = given.get('bf16');
  if (fp16?.value === true && bf16?.value === true) {
    contradiction(
      bf16.path,
      `expected at most one of fp16 and bf16 to be true, received true for both; remove ${fp16.path}`,
    );
  }
  const betas = given.get('betas');
  ['adamBeta1', 'adamBeta2'].forEach((name, index) => {
    const beta = given.get(name);
    if (beta === undefined || !Array.isArray(betas?.value) || betas.value[index] === beta.value) return;
    contradiction(
      beta.path,
      `expected the value in ${betas.path} or none, received another one; remove one of the two`,
    );
  });
  const [warmupSteps, ratio] = [given.get('warmupSteps'), given.get('warmupRatio')];
  // The Hugging Face Trainer writes 0 where it was not set.
  const isWarmupGiven = warmupSteps !== undefined && warmupSteps.value !== 0;
  if (isWarmupGiven && ratio !== undefined && ratio.value !== null && ratio.value !== warmupSteps.value) {
    contradiction(
      ratio.path,
      `expected none beside ${warmupSteps.path}, received one; remove one of the two`,
    );
  }
  const optimizer = given.get('optimizer')?.value ?? 'paged_adamw_8bit';
  const momentum = given.get('momentum');
  if (momentum !== undefined && momentum.value !== 0 && optimizer !== 'sgd' && optimizer !== 'rmsprop') {
    contradiction(
      momentum.path,
      `expected only with the optimizer "sgd" or "rmsprop", received with ${shownJson(optimizer)}`,
    );
  }
  for (const name of ['adamBeta3', 'ademamixAlpha', 'ademamixWarmupSteps'] as const) {
    const own = given.get(name);
    const isDefault = own?.value === trainingConfigSchema.shape[name].parse(undefined);
    if (own === undefined || isDefault || String(optimizer).includes('ademamix')) continue;
    contradiction(
      own.path,
      `expected only with the optimizer "ademamix", received with ${shownJson(optimizer)}`,
    );
  }
  const [freeze, unfrozen] = [given.get('freeze'), given.get('unfrozenParameters')];
  if (freeze !== undefined && freeze.value !== null && unfrozen !== undefined && unfrozen.value !== null) {
    contradiction(unfrozen.path, `expected none beside ${freeze.path}, received one; remove one of the two`);
  }
  checkPrecision(given, contradiction);
  checkBits(given, contradiction);
  checkLrSchedule(reader, given, path);
}

function checkPrecision(given: GivenKeys, contradiction: (at: string, message: string) => void): void {
  const precision = given.get('precision');
  if (precision === undefined || precision.value === null) return;
  // fp16 asks for half precision, as the Hugging Face Trainer does; bf16 is the half precision of a CPU.
  if (precision.value === 'bf16' && given.get('fp16')?.value === true && given.get('bf16')?.value !== true)
    return;
  for (const name of ['fp16', 'bf16'] as const) {
    const flag = given.get(name);
    const agrees = (typeof precision.value === 'string' && precision.value.startsWith(name)) === flag?.value;
    if (flag === undefined || typeof flag.value !== 'boolean' || agrees) continue;
    contradiction(
      flag.path,
      `expected what ${precision.path} says or nothing, received ${flag.value}; remove it`,
    );
  }
}

/** Faults of the variables themselves are told where the ranks are joined. */
function checkEnvironment(
  reader: ConfigReader,
  given: GivenKeys,
  path: string,
  env: NodeJS.ProcessEnv,
): void {
  const localRank = given.get('localRank');
  if (localRank === undefined || !Number.isSafeInteger(localRank.value) || (localRank.value as number) < 0)
    return;
  let found: number;
  try {
    found = readLaunch(env)?.localRank ?? 0;
  } catch {
    return;
  }
  if (localRank.value === found) return;
  reader.faults.push({
    path: localRank.path ?? configPath(path, reader.spell('localRank')),
    code: 'CONTRADICTION',
    message: `expected -1 or ${found}, the rank on this machine that the environment says (LOCAL_RANK and its like), received ${localRank.value as number}`,
  });
}
