import type { ConfigReader, GivenKeys } from './config-reader.js';
import { configPath } from './config-path.js';
import type { TrainingConfig } from './parsed-config.js';
import { readGroupKeys } from './read-group-keys.js';
import { refuseNotAvailable } from './refuse-not-available.js';
import { trainingConfigSchema } from './training-config.js';

/** Reads a training configuration: values, what is not available, and what excludes each other. */
export function readTrainingConfig(
  reader: ConfigReader,
  value: unknown,
  path: string,
  env: NodeJS.ProcessEnv,
): TrainingConfig | undefined {
  const given = readGroupKeys(reader, 'trainingConfig', value, path);
  refuseNotAvailable(reader, 'trainingConfig', given);
  checkTogether(reader, given, path);
  checkEnvironment(reader, given, path, env);
  const read = reader.read(trainingConfigSchema, given, path);
  if (read === undefined) return undefined;
  const { betas, ...config } = read;
  return {
    ...config,
    fp16: config.fp16 ?? !config.bf16,
    evalBatchSize: config.evalBatchSize ?? config.batchSize,
    evalSteps: config.evalSteps ?? config.loggingSteps,
    adamBeta1: betas?.[0] ?? config.adamBeta1,
    adamBeta2: betas?.[1] ?? config.adamBeta2,
  };
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
  const schedule = given.get('lrSchedulerType')?.value ?? 'cosine';
  const least = given.get('minLrRate');
  const hasLeast = least !== undefined && least.value !== null;
  if (schedule === 'cosine_with_min_lr' && !hasLeast) {
    const at = least?.path ?? configPath(path, reader.spell('minLrRate'));
    reader.faults.push({
      path: at,
      code: 'MISSING',
      message: 'expected a number from 0 to 1 with the schedule "cosine_with_min_lr", received nothing',
    });
  } else if (schedule !== 'cosine_with_min_lr' && hasLeast) {
    contradiction(
      least.path,
      `expected only with the schedule "cosine_with_min_lr", received with ${JSON.stringify(schedule)}`,
    );
  }
}

function checkEnvironment(
  reader: ConfigReader,
  given: GivenKeys,
  path: string,
  env: NodeJS.ProcessEnv,
): void {
  const processes = Number(env['WORLD_SIZE'] ?? 1);
  if (processes > 1) {
    reader.faults.push({
      path: given.get('localRank')?.path ?? configPath(path, reader.spell('localRank')),
      code: 'NOT_AVAILABLE',
      message: `expected one process, received WORLD_SIZE=${processes} from the environment; training in several processes is not available yet`,
    });
  }
  const wandb = given.get('useWandb')?.value ?? 'auto';
  if (wandb === 'auto' && env['WANDB_API_KEY']) {
    reader.warnings.push({
      code: 'WANDB_NOT_AVAILABLE',
      message: `WANDB_API_KEY is set, but reporting to Weights & Biases is not available yet; the run is reported in metrics.jsonl of the output folder. Set ${reader.spell('useWandb')} to false to silence this.`,
    });
  }
}
