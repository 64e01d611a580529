import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { readLaunch } from '../../src/ranks/launch.js';

const path = (name: string) => fileURLToPath(new URL(`../../examples/cluster/${name}`, import.meta.url));
const text = (name: string) => readFileSync(path(name), 'utf8');

/** What a shell says of a program, without running it. */
const syntaxOf = (name: string) => spawnSync('bash', ['-n', path(name)], { encoding: 'utf8' });

/** Runs a program with stand-ins for others, which print their names, arguments and variables. */
function dryRun(name: string, args: string[], env: NodeJS.ProcessEnv, ...commands: string[]): string {
  const standIns = commands
    .map((command) => `${command}() { echo "${command} $*"; }; exec() { "$@"; };`)
    .join(' ');
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['--norc', '-c', `${standIns} . "$0"`, path(name), ...args],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...env },
    },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim();
}

test('torchrun.sh starts the ranks of each host', () => {
  expect(syntaxOf('torchrun.sh')).toMatchObject({ status: 0, stderr: '' });
  const env = { NNODES: '2', NODE_RANK: '1', MASTER_ADDR: 'host0' };
  const line = dryRun('torchrun.sh', ['c.json'], env, 'torchrun');
  expect(line).toMatch(
    /^torchrun --nnodes=2 --node-rank=1 --nproc-per-node=2 .*--rdzv-endpoint=host0:29500 /,
  );
  expect(line).toMatch(/--no-python npx adaptive-trainer train c\.json$/);
});

test('slurm.sbatch asks for what sbatch knows, and resumes where it was queued again', () => {
  expect(syntaxOf('slurm.sbatch')).toMatchObject({ status: 0, stderr: '' });
  // Of `sbatch --help`, Slurm 24.05.
  const known = /^--(job-name|nodes|ntasks-per-node|cpus-per-task|mem|time|signal|requeue|output)(=\S+)?$/;
  const asked = [...text('slurm.sbatch').matchAll(/^#SBATCH (.*)$/gm)].map(([, option]) => option!);
  expect(asked.length).toBeGreaterThan(4);
  for (const option of asked) expect(option).toMatch(known);
  expect(dryRun('slurm.sbatch', ['c.json'], {}, 'srun')).toMatch(
    /^srun .* npx adaptive-trainer train c\.json$/,
  );
  expect(dryRun('slurm.sbatch', ['c.json'], { SLURM_RESTART_COUNT: '1' }, 'srun')).toMatch(
    /train c\.json --resume$/,
  );
});

const pod = z.object({
  spec: z.strictObject({
    containers: z.tuple([
      z.strictObject({
        name: z.literal('pytorch'),
        image: z.string(),
        command: z.array(z.string()),
        resources: z.strictObject({
          requests: z.record(z.string(), z.string()),
          limits: z.record(z.string(), z.string()),
        }),
        volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
      }),
    ]),
    volumes: z.array(
      z.object({ name: z.string(), persistentVolumeClaim: z.object({ claimName: z.string() }) }),
    ),
  }),
});
const replicas = z.strictObject({
  replicas: z.int().min(1),
  restartPolicy: z.enum(['OnFailure', 'Never', 'Always', 'ExitCode']),
  template: pod,
});

describe('Kubernetes', () => {
  test('pytorchjob.yaml is a PyTorchJob of the operator 1.x', () => {
    const schema = z.strictObject({
      apiVersion: z.literal('kubeflow.org/v1'),
      kind: z.literal('PyTorchJob'),
      metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]+$/) }),
      spec: z.strictObject({
        runPolicy: z.strictObject({
          cleanPodPolicy: z.enum(['None', 'Running', 'All']),
          backoffLimit: z.int(),
        }),
        pytorchReplicaSpecs: z.strictObject({
          Master: replicas.extend({ replicas: z.literal(1) }),
          Worker: replicas,
        }),
      }),
    });
    const { spec } = schema.parse(parse(text('pytorchjob.yaml'), { merge: true }));
    // What the operator sets in each pod is what ranks are found by.
    const size = 1 + spec.pytorchReplicaSpecs.Worker.replicas;
    const env = {
      MASTER_ADDR: 'adaptive-trainer-master-0',
      MASTER_PORT: '23456',
      WORLD_SIZE: String(size),
      RANK: '3',
    };
    expect(readLaunch(env)).toMatchObject({ rank: 3, size: 4, localRank: 0, localSize: 1 });
  });

  test('trainjob.yaml is a TrainJob of Kubeflow Trainer 2', () => {
    const schema = z.strictObject({
      apiVersion: z.literal('trainer.kubeflow.org/v1alpha1'),
      kind: z.literal('TrainJob'),
      metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]+$/) }),
      spec: z.strictObject({
        runtimeRef: z.strictObject({
          apiGroup: z.literal('trainer.kubeflow.org'),
          kind: z.string(),
          name: z.string(),
        }),
        trainer: z.strictObject({
          ...{
            image: z.string(),
            command: z.array(z.string()),
            numNodes: z.int().min(1),
            numProcPerNode: z.int().min(1),
          },
          resourcesPerNode: z.strictObject({ requests: z.record(z.string(), z.string()) }),
        }),
      }),
    });
    expect(schema.safeParse(parse(text('trainjob.yaml'))).error).toBeUndefined();
  });
});

test('skypilot.yaml: its task is one that SkyPilot reads, and its variables make a rank', () => {
  const schema = z.strictObject({
    ...{
      name: z.string(),
      num_nodes: z.int().min(1),
      workdir: z.string(),
      setup: z.string(),
      run: z.string(),
    },
    resources: z.strictObject({ cpus: z.string().regex(/^\d+\+?$/), memory: z.string().regex(/^\d+\+?$/) }),
  });
  const { run } = schema.parse(parse(text('skypilot.yaml')));
  const program = run.replace(/^npx.*$/m, 'env | grep -E "^(RANK|WORLD_SIZE|LOCAL_|MASTER_)"');
  const { stdout } = spawnSync('bash', ['-euc', program], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      SKYPILOT_NUM_NODES: '2',
      SKYPILOT_NODE_RANK: '1',
      SKYPILOT_NODE_IPS: '10.0.0.1\n10.0.0.2',
    },
  });
  const env = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]),
  );
  expect(readLaunch(env)).toMatchObject({
    rank: 1,
    size: 2,
    host: '10.0.0.1',
    port: 29500,
    localRank: 0,
    localSize: 1,
  });
});
