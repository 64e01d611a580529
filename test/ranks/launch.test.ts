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

  test('MPI', () => {
    expect(readLaunch(openMpi)).toMatchObject({
      launcher: 'MPI',
      rank: 1,
      size: 2,
      localSize: 2,
      host: '127.0.0.1',
    });
    const hydra = {
      PMI_RANK: '3',
      PMI_SIZE: '8',
      MPI_LOCALRANKID: '1',
      MPI_LOCALNRANKS: '2',
      MASTER_ADDR: 'n0',
    };
    expect(readLaunch(hydra)).toMatchObject({ rank: 3, size: 8, localRank: 1, localSize: 2, host: 'n0' });
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
    [{ PMI_RANK: '0' }, ['OMPI_COMM_WORLD_SIZE MISSING', 'MASTER_ADDR MISSING']],
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
