import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cli-train-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function train(ending: string, flags: string[] = [], ...rest: unknown[]) {
  const file = path.join(folder, `${ending}.json`);
  await writeFile(file, JSON.stringify({ outputDir: ending }));
  const [env, onOutput] = rest as [NodeJS.ProcessEnv?, Parameters<typeof runCommand>[3]?];
  return runCommand('test/cli/train-with-fake.ts', [file, ...flags], env, onOutput);
}

describe('adaptive-trainer train', () => {
  it('prints the model on standard output and the progress beside it', async () => {
    const { status, stdout, stderr } = await train('succeeds');
    expect(status).toBe(0);
    expect(stdout).toBe('out/final_model\n');
    expect(stderr).toContain('step 10/40 · loss 2.346');
    expect(stderr).toContain('evaluation after step 20');
    expect(stderr).toMatch(/mean training loss\s+1\.988/);
  });

  it('--json prints every event and nothing else', async () => {
    const { status, stdout, stderr } = await train('succeeds', ['--json']);
    expect(status).toBe(0);
    const read = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(read.map(({ type }) => type)).toEqual(['start', 'step', 'log', 'evaluate', 'end']);
    expect(stderr).toBe('');
  });

  it('prints an error of the library without a stack', async () => {
    const { status, stdout, stderr } = await train('fails');
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^LOSS_NOT_FINITE: Expected a finite loss but found NaN\.$/m);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('prints the stack with DEBUG=adaptive-trainer, and of an error that was not foreseen', async () => {
    const known = await train('fails', [], { DEBUG: 'adaptive-trainer' });
    expect(known.status).toBe(1);
    expect(known.stderr).toMatch(/^\s+at .*train-with-fake/m);
    const unknown = await train('breaks');
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/Unexpected error: TypeError: unforeseen\n\s+at /);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s aborts the run: status 130', async (signal) => {
    let sent = false;
    const { status, stderr } = await train(
      'waits',
      [],
      {},
      (output: string, send: (signal: string) => void) => {
        if (sent || !output.includes('step 10')) return;
        sent = true;
        send(signal);
      },
    );
    expect(status).toBe(130);
    expect(stderr).toContain('Stopping after this step');
    expect(stderr).toContain('The run was aborted after step 10.');
  });

  it('a second Ctrl-C ends it at once: status 130', async () => {
    let sent = 0;
    const { status } = await train('hangs', [], {}, (output: string, send: (signal: string) => void) => {
      if (sent === 0 && output.includes('step 10')) send((sent++, 'SIGINT'));
      if (sent === 1 && output.includes('Stopping')) send((sent++, 'SIGINT'));
    });
    expect(status).toBe(130);
  });
});
