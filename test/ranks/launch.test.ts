import { describe, expect, test } from 'vitest';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { readLaunch } from '../../src/ranks/launch.js';
import { threadShare } from '../../src/ranks/thread-share.js';

const torch = { RANK: '1', WORLD_SIZE: '4', MASTER_ADDR: 'gpu1', MASTER_PORT: '29500' };
const torchrun = {
  ...torch,
  ...{
    LOCAL_RANK: '1',
    LOCAL_WORLD_SIZE: '2',
    TORCHELASTIC_RUN_ID: 'x',
    TORCHELASTIC_USE_AGENT_STORE: 'True',
  },
  ...{ TORCHELASTIC_RESTART_COUNT: '3', OMP_NUM_THREADS: '1' },
};
const slurm = {
  ...{ SLURM_PROCID: '5', SLURM_NTASKS: '7', SLURM_LOCALID: '1', SLURM_NODEID: '1', SLURM_JOB_ID: '4711' },
  ...{ SLURM_NODELIST: 'gpu[03-07,9],login', SLURM_TASKS_PER_NODE: '4(x1),3' },
};
const openMpi = {
  ...{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' },
  ...{ OMPI_COMM_WORLD_LOCAL_RANK: '1', OMPI_COMM_WORLD_LOCAL_SIZE: '2' },
};
// As Intel MPI and MPICH set them.
const hydra = { PMI_RANK: '3', PMI_SIZE: '8', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2', MASTER_ADDR: 'n0' };
/** What srun sets in the second task of the second of three nodes, in a job of four. */
const srun = {
  ...{ SLURM_JOB_ID: '88', SLURM_JOBID: '88', SLURM_JOB_NODELIST: 'node[01-03,7]', SLURM_NNODES: '4' },
  ...{ SLURM_NODELIST: 'node[01-03,7]', SLURM_NTASKS: '8', SLURM_TASKS_PER_NODE: '2(x4)' },
  ...{ SLURM_STEP_ID: '0', SLURM_STEPID: '0', SLURM_STEP_NODELIST: 'node[02-03,7]' },
  ...{ SLURM_STEP_NUM_TASKS: '6', SLURM_STEP_NUM_NODES: '3', SLURM_STEP_TASKS_PER_NODE: '2(x3)' },
  ...{ SLURM_LAUNCH_NODE_IPADDR: '10.1.0.1', SLURM_SRUN_COMM_HOST: '10.1.0.1', SLURM_TASK_PID: '4242' },
  ...{ SLURM_PROCID: '3', SLURM_LOCALID: '1', SLURM_NODEID: '1', SLURM_GTIDS: '2,3' },
};

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readLaunch(env);
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'LAUNCH_INVALID'))
      return error.details.faults.map(({ path, code }) => `${path} ${code}`);
    throw error;
  }
  return [];
}

describe('what started the ranks', () => {
  test('a process on its own', () => {
    expect(readLaunch({})).toBeUndefined();
    expect(readLaunch({ WORLD_SIZE: '1', RANK: '0' })).toBeUndefined();
    expect(readLaunch({ WORLD_SIZE: '', MASTER_ADDR: 'x' })).toBeUndefined();
    // Inside an allocation, but not started by srun; and one process among Slurm's that is told to be alone.
    expect(readLaunch({ SLURM_NTASKS: '4', SLURM_NODELIST: 'a' })).toBeUndefined();
    expect(readLaunch({ ...slurm, WORLD_SIZE: '1' })).toBeUndefined();
    expect(readLaunch({ ...slurm, SLURM_STEP_NUM_TASKS: '1' })).toBeUndefined();
  });

  test('torchrun and what sets the same variables', () => {
    expect(readLaunch(torchrun)).toEqual({
      ...{ launcher: 'torchrun', rank: 1, size: 4, localRank: 1, localSize: 2, host: 'gpu1', port: 29500 },
      ...{ hasStore: true, attempt: 3 },
    });
    expect(readLaunch(torch)).toMatchObject({
      launcher: 'environment',
      localRank: 0,
      localSize: 1,
      hasStore: false,
    });
    expect(readLaunch({ ...torch, MASTER_ADDR: 'localhost' })).toMatchObject({ localRank: 1, localSize: 4 });
  });

  test('Slurm: the first of its hosts, in its short form', () => {
    expect(readLaunch(slurm)).toMatchObject({
      ...{ launcher: 'Slurm', rank: 5, size: 7, localRank: 1, localSize: 3, host: 'gpu03', hasStore: false },
    });
    const hostOf = (SLURM_NODELIST: string) => readLaunch({ ...slurm, SLURM_NODELIST })?.host;
    expect(hostOf('a')).toBe('a');
    expect(hostOf('a,b')).toBe('a');
    expect(hostOf('rack[2-3]-node[11,12]')).toBe('rack2-node11');
    expect(readLaunch({ ...slurm, MASTER_ADDR: 'head', MASTER_PORT: '1234' })).toMatchObject({
      host: 'head',
      port: 1234,
    });
    // All ranks of a job work out one port, and two jobs two.
    expect(readLaunch(slurm)?.port).toBe(readLaunch({ ...slurm, SLURM_PROCID: '0' })?.port);
    expect(readLaunch(slurm)?.port).not.toBe(readLaunch({ ...slurm, SLURM_JOB_ID: '4712' })?.port);
  });

  test("a step of Slurm's that is a part of its job", () => {
    expect(readLaunch(srun)).toMatchObject({
      ...{ launcher: 'Slurm', rank: 3, size: 6, localRank: 1, localSize: 2, host: 'node02' },
    });
    // Two steps of a job may run side by side.
    expect(readLaunch(srun)?.port).not.toBe(readLaunch({ ...srun, SLURM_STEP_ID: '1' })?.port);
    // The login node, say: it is used where nothing says which nodes there are.
    const { SLURM_JOB_NODELIST: _j, SLURM_NODELIST: _n, SLURM_STEP_NODELIST: _s, ...without } = srun;
    expect(readLaunch(without)?.host).toBe('10.1.0.1');
    expect(readLaunch({ ...without, SLURM_JOB_NODELIST: srun.SLURM_JOB_NODELIST })?.host).toBe('node01');
  });

  test('the script of sbatch is no rank, whatever it may start', () => {
    const script = {
      ...{ SLURM_JOB_ID: '88', SLURM_JOB_NODELIST: 'node[01-02]', SLURM_NODELIST: 'node[01-02]' },
      ...{ SLURM_NTASKS: '4', SLURM_TASKS_PER_NODE: '2(x2)', SLURM_PROCID: '0', SLURM_LOCALID: '0' },
      ...{ SLURM_NODEID: '0', SLURM_GTIDS: '0', SLURM_TASK_PID: '4242', ENVIRONMENT: 'BATCH' },
    };
    expect(readLaunch(script)).toBeUndefined();
    expect(readLaunch({ ...script, SLURM_STEP_ID: '0' })).toMatchObject({ rank: 0, size: 4 });
  });

  test.each([
    ['node[01-03,7]', 'node01'],
    ['node7', 'node7'],
    ['node[7]', 'node7'],
    ['node[007-120]', 'node007'],
    ['a-b[3,5-6],c', 'a-b3'],
    ['n[0-1]r[2-3]', 'n0r2'],
    ['gpu-1.cluster.example,gpu-2.cluster.example', 'gpu-1.cluster.example'],
    ['rack2_node[11,12]-ib', 'rack2_node11-ib'],
    ['n[1-2],m[3-4]', 'n1'],
  ])('the first node of %s is %s', (nodes, host) => {
    for (const name of ['SLURM_STEP_NODELIST', 'SLURM_NODELIST'])
      expect(readLaunch({ ...slurm, [name]: nodes })?.host).toBe(host);
  });

  test.each([
    ['2(x3)', [2, 2, 2]],
    ['4', [4]],
    ['1,3', [1, 3]],
    ['4(x2),3,1(x2)', [4, 4, 3, 1, 1]],
    ['16(x1000)', [16, 16]],
  ])('%s are the tasks of the nodes', (counts, expected) => {
    const of = (node: number) =>
      readLaunch({
        ...{ ...slurm, SLURM_NTASKS: '20000', SLURM_LOCALID: '0' },
        ...{ SLURM_NODEID: String(node), SLURM_STEP_TASKS_PER_NODE: counts },
      });
    expect(expected.map((_, node) => of(node)?.localSize)).toEqual(expected);
  });

  test("mpirun's numbers hold inside a job of Slurm, whose own are those of its helpers", () => {
    const helper = { ...srun, SLURM_PROCID: '0', SLURM_LOCALID: '0', SLURM_STEP_NUM_TASKS: '2' };
    const ofOpenMpi = {
      ...{ OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_SIZE: '4', PMIX_NAMESPACE: 'prterun-node02-7@1' },
      ...{ OMPI_COMM_WORLD_LOCAL_RANK: '1', OMPI_COMM_WORLD_LOCAL_SIZE: '2' },
    };
    const { MASTER_ADDR: _, ...ofHydra } = hydra;
    const ofMvapich = {
      ...{ MV2_COMM_WORLD_RANK: '3', MV2_COMM_WORLD_SIZE: '4' },
      ...{ MV2_COMM_WORLD_LOCAL_RANK: '1', MV2_COMM_WORLD_LOCAL_SIZE: '2' },
    };
    const script = { SLURM_JOB_ID: '88', SLURM_JOB_NODELIST: 'node[02-03]', SLURM_NTASKS: '4' };
    for (const job of [helper, { ...script, SLURM_PROCID: '0', SLURM_TASK_PID: '7' }]) {
      const one = { launcher: 'MPI', rank: 3, localRank: 1, localSize: 2, host: 'node02' };
      expect(readLaunch({ ...job, ...ofOpenMpi })).toMatchObject({ ...one, size: 4 });
      expect(readLaunch({ ...job, ...ofHydra })).toMatchObject({ ...one, size: 8 });
      expect(readLaunch({ ...job, ...ofMvapich })).toMatchObject({ ...one, size: 4 });
    }
    // srun --mpi=pmi2 sets PMI's variables to what its own are.
    const pmi2 = { ...srun, PMI_RANK: '3', PMI_SIZE: '6', PMI_JOBID: '88.0' };
    expect(readLaunch(pmi2)).toEqual(readLaunch(srun));
  });

  test('MPI', () => {
    expect(readLaunch(openMpi)).toMatchObject({
      launcher: 'MPI',
      rank: 1,
      size: 2,
      localSize: 2,
      host: '127.0.0.1',
    });
    expect(readLaunch(hydra)).toMatchObject({ rank: 3, size: 8, localRank: 1, localSize: 2, host: 'n0' });
    // One process is one of its own, and all ranks of a job find one port.
    expect(readLaunch({ ...openMpi, OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' })).toBeUndefined();
    const portOf = (env: NodeJS.ProcessEnv) => readLaunch({ ...openMpi, ...env })?.port;
    expect(portOf({ PMIX_NAMESPACE: 'a@1' })).toBe(
      portOf({ PMIX_NAMESPACE: 'a@1', OMPI_COMM_WORLD_RANK: '0' }),
    );
    expect(portOf({ PMIX_NAMESPACE: 'a@1' })).not.toBe(portOf({ PMIX_NAMESPACE: 'b@1' }));
  });

  test.each([
    [{ RANK: '0' }, ['WORLD_SIZE MISSING', 'MASTER_ADDR MISSING', 'MASTER_PORT MISSING']],
    [{ WORLD_SIZE: '2' }, ['RANK MISSING', 'MASTER_ADDR MISSING', 'MASTER_PORT MISSING']],
    [{ ...torch, RANK: '4', MASTER_PORT: '0x1' }, ['RANK INVALID', 'MASTER_PORT INVALID']],
    [{ ...torch, WORLD_SIZE: 'two', LOCAL_RANK: '-1' }, ['WORLD_SIZE INVALID', 'LOCAL_RANK INVALID']],
    [{ ...torch, LOCAL_RANK: '2', LOCAL_WORLD_SIZE: '2' }, ['LOCAL_RANK INVALID']],
    [{ WORLD_SIZE: '1', RANK: '3' }, ['RANK INVALID']],
    [
      { LOCAL_RANK: '0' },
      ['WORLD_SIZE MISSING', 'RANK MISSING', 'MASTER_ADDR MISSING', 'MASTER_PORT MISSING'],
    ],
    [
      { SLURM_PROCID: '9', SLURM_NTASKS: '2' },
      ['SLURM_PROCID INVALID', 'SLURM_LOCALID MISSING', 'SLURM_NODELIST MISSING'],
    ],
    [{ OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '4' }, ['MASTER_ADDR MISSING']],
    [{ PMI_RANK: '0' }, ['PMI_SIZE MISSING', 'MASTER_ADDR MISSING']],
    [{ MV2_COMM_WORLD_SIZE: '3' }, ['MV2_COMM_WORLD_RANK MISSING', 'MASTER_ADDR MISSING']],
    [{ ...openMpi, OMPI_COMM_WORLD_LOCAL_RANK: '2' }, ['OMPI_COMM_WORLD_LOCAL_RANK INVALID']],
    [{ ...openMpi, OMPI_COMM_WORLD_SIZE: '0' }, ['OMPI_COMM_WORLD_SIZE INVALID', 'MASTER_ADDR MISSING']],
    [{ ...hydra, PMI_RANK: '8', MPI_LOCALRANKID: 'x' }, ['PMI_RANK INVALID', 'MPI_LOCALRANKID INVALID']],
    [{ ...slurm, SLURM_NODELIST: 'gpu[03-07' }, ['SLURM_NODELIST INVALID']],
    [{ ...slurm, SLURM_STEP_NODELIST: 'gpu[a-b]' }, ['SLURM_STEP_NODELIST INVALID']],
    [{ ...slurm, SLURM_NODELIST: 'gpu[]' }, ['SLURM_NODELIST INVALID']],
    [{ ...slurm, SLURM_TASKS_PER_NODE: '2(3)' }, ['SLURM_TASKS_PER_NODE INVALID']],
    [{ ...slurm, SLURM_STEP_TASKS_PER_NODE: '2(x3),' }, ['SLURM_STEP_TASKS_PER_NODE INVALID']],
    [
      { ...slurm, SLURM_STEP_NUM_TASKS: 'all', SLURM_LOCALID: '', SLURM_NODELIST: '[' },
      ['SLURM_LOCALID MISSING', 'SLURM_NODELIST INVALID', 'SLURM_STEP_NUM_TASKS INVALID'],
    ],
  ])('%j: all faults at once', (env, expected) => {
    expect(faultsOf(env).sort()).toEqual([...expected].sort());
  });
});

test('each rank of a machine computes with its share of the cores', () => {
  const launch = readLaunch(torchrun)!;
  const cores = { available: 8, all: 8 };
  expect(threadShare(launch, { OMP_NUM_THREADS: '1' }, cores)).toBe(4);
  expect(threadShare(launch, {}, { available: 1, all: 8 })).toBe(1);
  // Whoever says another number means it; without torchrun 1 is meant, too.
  expect(threadShare(launch, { OMP_NUM_THREADS: '3' }, cores)).toBeUndefined();
  expect(threadShare(readLaunch(torch)!, { OMP_NUM_THREADS: '1' }, cores)).toBeUndefined();
  // Slurm may have given the rank cores of its own.
  expect(threadShare(readLaunch(slurm)!, {}, { available: 2, all: 12 })).toBe(2);
  expect(threadShare(readLaunch(slurm)!, {}, { available: 12, all: 12 })).toBe(4);
});
