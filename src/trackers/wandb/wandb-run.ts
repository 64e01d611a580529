import { randomBytes } from 'node:crypto';
import { hostname, release, type as systemType } from 'node:os';
import { isPlainObject } from '../../common/is-plain-object.js';
import { snakeCase } from '../../common/snake-case.js';
import type { StartEvent } from '../../events/training-event.js';
import { gitState } from './git-state.js';
import { machine } from './system-metrics.js';
import type { EnvironmentRecord, RunRecord } from './wandb-records.js';
import type { WandbSettings } from './wandb-settings.js';

/** An id as W&B takes it, the same for every part of a training run that is resumed. */
export function wandbId(runId: string): string {
  return (
    runId
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, '')
      .slice(0, 64) || randomBytes(4).toString('hex')
  );
}

/**
 * The record of a run that begins.
 * @param run its id, when it began (seconds since 1970), and whether it goes on with an earlier one
 * @param clean takes secrets out of a text
 */
export async function runRecord(
  event: StartEvent,
  settings: WandbSettings,
  run: { id: string; startTime: number; resumed: boolean },
  clean: (text: string) => string,
): Promise<RunRecord> {
  const { project, entity, name, group, notes, tags } = settings;
  // The training arguments stand at the top, as in the Hugging Face integration.
  const { trainingConfig, ...others } = event.config as { trainingConfig?: Record<string, unknown> };
  const config = { ...trainingConfig, ...others, versions: event.versions, parameters: event.parameters };
  const entries = Object.entries(config).map(([key, value]) => [
    snakeCase(key),
    clean(JSON.stringify(snakeKeys(value) ?? null)),
  ]);
  return {
    ...run,
    project,
    tags,
    host: hostname(),
    ...(await gitState()),
    config: Object.fromEntries(entries) as Record<string, string>,
    ...(entity === undefined ? {} : { entity }),
    ...(name === undefined ? {} : { name }),
    ...(group === undefined ? {} : { group }),
    ...(notes === undefined ? {} : { notes }),
  };
}

/**
 * The record of what the run runs on.
 * @param startedAt seconds since 1970
 * @param clean takes secrets out of a text
 */
export function environmentRecord(
  startedAt: number,
  writerId: string,
  clean: (text: string) => string,
): EnvironmentRecord {
  return {
    os: `${systemType()}-${release()}-${process.arch}`,
    startedAt,
    program: process.argv[1] ?? process.execPath,
    args: process.argv.slice(2).map((argument) => clean(argument)),
    host: hostname(),
    executable: process.execPath,
    cpuCount: machine.cpuCount,
    memoryBytes: machine.memoryBytes,
    writerId,
  };
}

/** The environment in the names of the official client's JSON. */
export function environmentFile(environment: EnvironmentRecord): Record<string, unknown> {
  const { startedAt, cpuCount, memoryBytes, ...rest } = environment;
  return {
    ...rest,
    startedAt: new Date(startedAt * 1000).toISOString(),
    cpu_count: cpuCount,
    cpu_count_logical: cpuCount,
    memory: { total: String(memoryBytes) },
  };
}

function snakeKeys(value: unknown): unknown {
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), snakeKeys(inner)]));
}
