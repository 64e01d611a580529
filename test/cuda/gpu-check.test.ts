import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const script = 'scripts/gpu/check.mjs';

function check(args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

test('a dry run tells every command, from each source to the tests', () => {
  const { status, stdout } = check(['--dry-run'], { PATH: '/nowhere' });
  expect(status).toBe(0);
  const commands = stdout.trim().split('\n');
  const sources = [
    ...readdirSync('native/cuda').filter((name) => name.endsWith('.cu')),
    ...readdirSync('test/cuda').filter((name) => name.endsWith('.cpp')),
  ];
  expect(sources.length).toBeGreaterThan(12);
  for (const source of sources) {
    expect(
      commands.filter((command) => command.includes(` -c `) && command.includes(`/${source} -o`)),
    ).toHaveLength(1);
    expect(commands.at(-2)).toContain(`${source}.o`);
  }
  expect(commands.at(-1)).toMatch(/cuda_tests$/);
});

test('without a toolkit it says how to get one', () => {
  const { status, stderr } = check([], { PATH: '/nowhere', CUDA_HOME: '/nowhere', CUDA_PATH: '' });
  expect(status).toBe(1);
  expect(stderr).toContain('CUDA_HOME: no bin/nvcc in /nowhere');
});

test('an option that is none is refused', () => {
  expect(check(['--fast']).stderr).toContain('found --fast');
});
