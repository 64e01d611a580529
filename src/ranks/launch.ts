import type { ConfigFault } from '../common/config-fault.js';
import { AdaptiveTrainerError } from '../errors.js';

/** How this process was started beside others. */
export interface Launch {
  launcher: 'torchrun' | 'environment' | 'Slurm' | 'MPI';
  /** From 0, among all. */
  rank: number;
  /** How many there are, at least 2. */
  size: number;
  /** From 0, among those of this machine. */
  localRank: number;
  /** How many this machine has. */
  localSize: number;
  /** Where the ranks meet. */
  host: string;
  port: number;
  /** Whether the launcher keeps the store there; else rank 0 does. */
  hasStore: boolean;
  /** How often the launcher has started all ranks anew. */
  attempt: number;
}

/** A variable that names a number or a host, and what is wrong with it. */
class Variables {
  readonly faults: ConfigFault[] = [];

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly launcher: string,
  ) {}

  text(...names: string[]): string | undefined {
    return names.map((name) => this.env[name]?.trim()).find((value) => value !== undefined && value !== '');
  }

  /** A whole number; the first of the names that is set. undefined where none is, or after a fault. */
  number(names: readonly string[], least: number, most: number): number | undefined {
    const name = names.find((one) => this.text(one) !== undefined);
    if (name === undefined) return undefined;
    const text = this.text(name)!;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const range = most < least ? `, of which there are ${most + 1}` : ` from ${least} to ${most}`;
    this.fault(name, 'INVALID', `expected a whole number${range}, received "${text}"`);
    return undefined;
  }

  needed<Value>(name: string, value: Value | undefined, what: string): Value | undefined {
    if (value === undefined && !this.faults.some(({ path }) => path === name)) {
      const message = `expected ${what}, since other variables of ${this.launcher} are set, found nothing`;
      this.fault(name, 'MISSING', message);
    }
    return value;
  }

  fault(path: string, code: ConfigFault['code'], message: string): void {
    this.faults.push({ path, code, message });
  }

  throwFaults(): void {
    const { faults } = this;
    if (faults.length === 0) return;
    const list = faults.map(({ path, message }) => `${path}: ${message}`).join('; ');
    const advice =
      'Start all ranks with torchrun, srun or mpirun, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT for each. For one process alone unset these variables, or set WORLD_SIZE=1.';
    throw new AdaptiveTrainerError(
      'LAUNCH_INVALID',
      `Expected environment variables that say which of several ranks this process is, found faults: ${list}. ${advice}`,
      { details: { faults } },
    );
  }
}

const mostRanks = 65_536;

/** What each implementation of MPI begins the names of its variables with. */
const mpiNames = ['OMPI_COMM_WORLD_', 'PMI_', 'MV2_COMM_WORLD_'] as const;

/**
 * How this process was started: by torchrun (or whatever sets the same variables), MPI or Slurm.
 * @returns undefined for a process on its own
 * @throws AdaptiveTrainerError LAUNCH_INVALID with all faults
 */
export function readLaunch(env: NodeJS.ProcessEnv = process.env): Launch | undefined {
  const isSet = (...names: string[]) => names.some((name) => (env[name] ?? '').trim() !== '');
  if (isSet('RANK', 'WORLD_SIZE', 'LOCAL_RANK')) return ofTorch(env);
  // Set by mpirun alone. Inside a job of Slurm its processes also have the variables of whatever started mpirun, or its
  // helpers; srun sets PMI_RANK, too, but to what SLURM_PROCID is.
  if (isSet('OMPI_COMM_WORLD_RANK', 'MPI_LOCALRANKID', 'MV2_COMM_WORLD_RANK')) return ofMpi(env);
  const isStep = isSet('SLURM_STEP_ID', 'SLURM_STEPID', 'SLURM_STEP_NUM_TASKS');
  // The script of sbatch is a task of its own, with the SLURM_NTASKS of those that it may start.
  const isScript = isSet('SLURM_TASK_PID') && !isStep;
  if (isSet('SLURM_PROCID') && isSet('SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS', 'SLURM_NPROCS'))
    return isScript ? undefined : ofSlurm(env);
  const isMpi = mpiNames.some((name) => isSet(`${name}RANK`, `${name}SIZE`));
  return isMpi ? ofMpi(env) : undefined;
}

function ofTorch(env: NodeJS.ProcessEnv): Launch | undefined {
  const isTorchrun = (env['TORCHELASTIC_RUN_ID'] ?? env['TORCHELASTIC_USE_AGENT_STORE']) !== undefined;
  const launcher = isTorchrun ? 'torchrun' : 'environment';
  const variables = new Variables(env, isTorchrun ? 'torchrun' : 'PyTorch');
  const size = variables.needed(
    'WORLD_SIZE',
    variables.number(['WORLD_SIZE'], 1, mostRanks),
    'the number of ranks',
  );
  if (size === 1) {
    variables.number(['RANK'], 0, 0);
    variables.throwFaults();
    return undefined;
  }
  const rank = variables.needed(
    'RANK',
    variables.number(['RANK'], 0, (size ?? mostRanks) - 1),
    'the number of this rank, from 0',
  );
  const host = variables.needed('MASTER_ADDR', variables.text('MASTER_ADDR'), "rank 0's host");
  const port = variables.needed(
    'MASTER_PORT',
    variables.number(['MASTER_PORT'], 1, 65_535),
    "a port of rank 0's host",
  );
  const localSize = variables.number(['LOCAL_WORLD_SIZE'], 1, size ?? mostRanks);
  const localRank = variables.number(['LOCAL_RANK'], 0, (localSize ?? size ?? mostRanks) - 1);
  const attempt = variables.number(['TORCHELASTIC_RESTART_COUNT'], 0, Number.MAX_SAFE_INTEGER) ?? 0;
  variables.throwFaults();
  return {
    ...{ launcher, rank: rank!, size: size!, host: host!, port: port!, attempt },
    ...local(rank!, size!, host!, localRank, localSize),
    hasStore: env['TORCHELASTIC_USE_AGENT_STORE'] === 'True',
  };
}

function ofSlurm(env: NodeJS.ProcessEnv): Launch | undefined {
  const variables = new Variables(env, 'Slurm');
  const size = variables.number(['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS', 'SLURM_NPROCS'], 1, mostRanks);
  if (size === 1) return undefined;
  const rank = variables.number(['SLURM_PROCID'], 0, (size ?? mostRanks) - 1);
  const localRank = variables.needed(
    'SLURM_LOCALID',
    variables.number(['SLURM_LOCALID'], 0, (size ?? mostRanks) - 1),
    'the rank on this node',
  );
  const host = variables.needed(
    'SLURM_NODELIST',
    variables.text('MASTER_ADDR') ?? hostOfSlurm(variables),
    'the nodes, or MASTER_ADDR with the host of rank 0',
  );
  const port = variables.number(['MASTER_PORT'], 1, 65_535) ?? portOf(jobOfSlurm(variables) ?? 'slurm');
  const node = variables.number(['SLURM_NODEID'], 0, mostRanks) ?? 0;
  const localSize = tasksOfSlurm(variables, node);
  variables.throwFaults();
  return {
    ...{ launcher: 'Slurm', rank: rank!, size: size!, host: host!, port, hasStore: false },
    // The job's numbers are not always the step's.
    ...{ localRank: localRank!, localSize: Math.max(localSize ?? 1, localRank! + 1), attempt: 0 },
  };
}

function ofMpi(env: NodeJS.ProcessEnv): Launch | undefined {
  const variables = new Variables(env, 'MPI');
  const name = mpiNames.find((one) => variables.text(`${one}RANK`, `${one}SIZE`) !== undefined) ?? 'PMI_';
  const size = variables.needed(
    `${name}SIZE`,
    variables.number([`${name}SIZE`], 1, mostRanks),
    'the number of ranks',
  );
  if (size === 1) return undefined;
  const rank = variables.needed(
    `${name}RANK`,
    variables.number([`${name}RANK`], 0, (size ?? mostRanks) - 1),
    'the number of this rank, from 0',
  );
  const localSize = variables.number([`${name}LOCAL_SIZE`, 'MPI_LOCALNRANKS'], 1, size ?? mostRanks);
  const localRank = variables.number(
    [`${name}LOCAL_RANK`, 'MPI_LOCALRANKID'],
    0,
    (localSize ?? size ?? mostRanks) - 1,
  );
  const isOneMachine = size !== undefined && localSize === size;
  const host = variables.needed(
    'MASTER_ADDR',
    variables.text('MASTER_ADDR') ?? (isOneMachine ? '127.0.0.1' : hostOfSlurm(variables)),
    'the host of rank 0, which MPI does not tell (mpirun -x MASTER_ADDR=…)',
  );
  const job =
    variables.text('PMIX_NAMESPACE', 'OMPI_MCA_ess_base_jobid', 'PMI_JOBID') ??
    jobOfSlurm(variables) ??
    'mpi';
  const port = variables.number(['MASTER_PORT'], 1, 65_535) ?? portOf(job);
  variables.throwFaults();
  return {
    ...{ launcher: 'MPI', rank: rank!, size: size!, host: host!, port, hasStore: false, attempt: 0 },
    ...local(rank!, size!, host!, localRank, localSize),
  };
}

/** Which of its machine a rank is, where the launcher leaves that out: all are on one machine, or each on its own. */
function local(
  rank: number,
  size: number,
  host: string,
  localRank: number | undefined,
  localSize: number | undefined,
): Pick<Launch, 'localRank' | 'localSize'> {
  const isOneMachine = /^(localhost|127\.|::1$)/.test(host);
  return {
    localRank: localRank ?? (isOneMachine ? rank : 0),
    localSize: localSize ?? (isOneMachine ? size : 1),
  };
}

/** The first of the nodes, on which rank 0 is. */
function hostOfSlurm(variables: Variables): string | undefined {
  const name = ['SLURM_STEP_NODELIST', 'SLURM_NODELIST', 'SLURM_JOB_NODELIST'].find(
    (one) => variables.text(one) !== undefined,
  );
  // Where srun was called: in a script of sbatch that is the first node.
  if (name === undefined) return variables.text('SLURM_LAUNCH_NODE_IPADDR');
  const nodes = variables.text(name)!;
  const host = /^(?:[\w.-]|\[\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*\])+(?=,|$)/.exec(nodes)?.[0];
  if (host === undefined)
    variables.fault(name, 'INVALID', `expected names of nodes such as node[01-03,7], received "${nodes}"`);
  return (host ?? nodes).replace(/\[(\d+)[^\]]*\]/g, '$1');
}

/** What tells the steps of all jobs apart. */
function jobOfSlurm(variables: Variables): string | undefined {
  const job = variables.text('SLURM_JOB_ID', 'SLURM_JOBID');
  const step = variables.text('SLURM_STEP_ID', 'SLURM_STEPID');
  return job === undefined || step === undefined ? job : `${job}.${step}`;
}

/** How many tasks a node has. In Slurm's short form `4(x2),3` are 4, 4 and 3. */
function tasksOfSlurm(variables: Variables, node: number): number | undefined {
  const name = ['SLURM_STEP_TASKS_PER_NODE', 'SLURM_TASKS_PER_NODE'].find(
    (one) => variables.text(one) !== undefined,
  );
  if (name === undefined) return undefined;
  const counts = variables.text(name)!;
  let [nodes, tasks] = [0, undefined as number | undefined];
  for (const part of counts.split(',')) {
    const [, count, times = '1'] = /^([1-9]\d*)(?:\(x([1-9]\d*)\))?$/.exec(part.trim()) ?? [];
    if (count === undefined) {
      variables.fault(name, 'INVALID', `expected numbers of tasks such as 2(x3),1, received "${counts}"`);
      return undefined;
    }
    nodes += Number(times);
    if (node < nodes) tasks ??= Number(count);
  }
  return tasks;
}

/** A port that all ranks of a job work out alike, and two jobs seldom. */
function portOf(job: string): number {
  let hash = 0;
  for (const character of job) hash = (hash * 31 + character.codePointAt(0)!) % 20_000;
  return 20_000 + hash;
}
