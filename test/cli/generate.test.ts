import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = (...args: string[]) => runCommand('src/cli/main.ts', args);

/** A command that is given `input` on standard input. */
function runWith(input: string, ...args: string[]): Promise<{ status: number | null; stdout: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout })));
}

describe('adaptive-trainer generate', () => {
  it('prints a continuation, the same each time', async () => {
    const args = ['generate', 'examples/seed-lm', 'It is a truth', '--max-new-tokens', '8'];
    const first = await run(...args);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout.trim().length).toBeGreaterThan(0);
    expect((await run(...args)).stdout).toBe(first.stdout);
  });

  it('writes prompts of standard input on, a line of JSON for each, as each would be alone', async () => {
    const prompts = ['It is a truth', 'Once', 'The capital of France is'];
    const args = ['generate', 'examples/seed-lm', '-', '--max-new-tokens', '8'];
    const { status, stdout } = await runWith(`${prompts.join('\n')}\n\n`, ...args);
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { prompt: string; text: string });
    expect(lines.map(({ prompt }) => prompt)).toEqual(prompts);
    const alone = await run('generate', 'examples/seed-lm', prompts[2]!, '--max-new-tokens', '8');
    expect(`${lines[2]!.text}\n`).toBe(alone.stdout);
  });

  it.each([
    [['generate', 'examples/seed-lm'], 'Expected <model> <prompt> but received examples/seed-lm.'],
    [['generate', 'm', 'p', '--top-k', 'many'], 'Expected a number for --top-k but received "many".'],
    [['chat', 'm', '--dtype', 'int8'], 'Expected --dtype float32 or bfloat16'],
    [['chat'], 'Expected <model> but received nothing.'],
  ])('%j is a wrong command line: status 2', async (args, message) => {
    const { status, stderr } = await run(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('adaptive-trainer chat', () => {
  it('answers each line, and /exit ends it', async () => {
    const input = 'What is the capital of France?\n/new\nAnd of Peru?\n/exit\nnot read\n';
    const { status, stdout } = await runWith(input, 'chat', 'examples/seed-lm', '--max-new-tokens', '12');
    expect(status).toBe(0);
    expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(2);
  });
});
