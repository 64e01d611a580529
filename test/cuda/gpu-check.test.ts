import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { measuredIn, table } from '../../scripts/gpu/table.mjs';

const script = 'scripts/gpu/check.mjs';

function check(args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

function filesOf(folder: string, end: string) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`);
}

test('a dry run tells every command: each source once, and what is made of them', () => {
  const { status, stdout } = check(['--dry-run'], { PATH: '/nowhere', ADAPTIVE_TRAINER_PYTHON: '' });
  expect(status).toBe(0);
  const commands = stdout.trim().split('\n');
  expect(commands.slice(-4)).toEqual([
    'build/gpu-check/cuda_tests',
    'build/gpu-check/device_tests',
    'build/gpu-check/gpu_bench',
    'python3 bench/gpu/trl_peers.py',
  ]);
  // Ranks are no part of it, and the guarded device stands where the GPU does here.
  const ofEngine = [
    ...filesOf('native/core', '.cpp').filter((file) => !file.includes('gloo_group')),
    ...filesOf('native/cuda', '.cpp'),
    ...filesOf('test/core/device', '.cpp').filter((file) => !/guarded_|as_cuda/.test(file)),
  ];
  const ofKernels = [
    ...filesOf('native/cuda', '.cu'),
    ...readdirSync('test/cuda')
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => `test/cuda/${name}`),
  ];
  expect(ofEngine.length).toBeGreaterThan(80);
  expect(ofKernels.length).toBeGreaterThan(12);
  const linking = (program: string) =>
    commands.find((command) => command.includes(`-o build/gpu-check/${program} `))!;
  const objectOf = (file: string, program: string) => {
    const kinds = program === 'cuda_tests' ? 'kernel|test' : 'kernel|engine';
    const end = new RegExp(` -c ${file} -o (build/gpu-check/(?:${kinds})-\\S+)$`);
    const objects = commands.flatMap((command) => end.exec(command)?.[1] ?? []);
    expect(objects, file).toHaveLength(1);
    return objects[0]!;
  };
  const sources = { device_tests: ofEngine, cuda_tests: ofKernels, gpu_bench: ['bench/gpu/gpu_bench.cpp'] };
  for (const [program, files] of Object.entries(sources))
    for (const file of files) expect(linking(program).split(' '), file).toContain(objectOf(file, program));
  // Nothing of a network or of npm.
  expect(stdout).not.toMatch(/npm|node_modules|https?:/);
});

test('without a toolkit it says how to get one', () => {
  const { status, stderr } = check([], { PATH: '/nowhere', CUDA_HOME: '/nowhere', CUDA_PATH: '' });
  expect(status).toBe(1);
  expect(stderr).toMatch(/CUDA_HOME: no bin\/nvcc in \/nowhere|NVIDIA GPU that nvidia-smi lists/);
});

test('an option that is none is refused', () => {
  expect(check(['--fast']).stderr).toContain('found --fast');
});

test('the table: parts, what was measured beside TRL, and what is missing', () => {
  const measured = measuredIn(
    [
      'noise',
      '{"name":"loss, numerators kept","ms":76.5,"gib":9.1}',
      '{"name":"1 B, full step","ms":400,"tokensPerSecond":40960,"shareOfProduct":0.46,"gib":30}',
      '{"name":"8 B, LoRA step in 24 GiB","failed":"out of memory"}',
      '{"name":"TRL, chunked loss","ms":229.5,"gib":18.2}',
    ].join('\n'),
  );
  const parts = [{ part: 'kernel tests', result: '70 of 70 tests passed', seconds: 12.34 }];
  const lines = table(parts, measured).split('\n');
  expect(lines[1]).toMatch(/^kernel tests +70 of 70 tests passed +12\.3$/);
  expect(lines.find((line) => line.startsWith('loss, numerators kept'))).toMatch(
    /76\.50 +9\.10 +3\.00 × +0\.50 ×$/,
  );
  expect(lines.find((line) => line.startsWith('1 B'))).toMatch(/400\.00 +30\.00 +40960 +46 %$/);
  expect(lines.find((line) => line.startsWith('8 B'))).toContain('out of memory');
  const none = table([], measuredIn('{"name":"TRL","missing":"TRL not found"}'));
  expect(none).toMatch(/^TRL +TRL not found$/m);
});

test('without TRL its peers say so, and do not fail', () => {
  const python = spawnSync('python3', ['--version']).status === 0;
  if (!python) return;
  const run = spawnSync('python3', ['-I', 'bench/gpu/trl_peers.py', '--small'], { encoding: 'utf8' });
  const [first] = measuredIn(run.stdout);
  // A machine that has TRL measures it.
  if (first?.missing === undefined) return;
  expect(run.status).toBe(0);
  expect(first.missing).toContain('TRL not found');
});
