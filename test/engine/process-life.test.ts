import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';

const child = new URL('./process-life.child.ts', import.meta.url);

/** Big enough that a step is under way whenever the process goes. */
let big: string;
let tiny: string;
beforeAll(() => {
  const dir = tempDir();
  tiny = writeTinyModel(join(dir, 'tiny'));
  big = writeTinyModel(join(dir, 'big'), {
    vocab_size: 4096,
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
  });
});

async function outcome(scenario: string, dir: string) {
  const { status, signal, stdout, stderr } = await runChild(child, [scenario, dir]);
  return { status, signal, said: stdout.trim().split('\n'), stderr };
}

describe('the engine and the life of a process', () => {
  it('computes the same in a worker thread as in the main thread', async () => {
    expect(await outcome('worker', tiny)).toEqual({ status: 0, signal: null, said: ['same'], stderr: '' });
  });

  it('serves several workers and the main thread at once', async () => {
    expect(await outcome('workers', tiny)).toEqual({ status: 0, signal: null, said: ['same'], stderr: '' });
  });

  it('survives a worker that is terminated while a call runs', async () => {
    expect(await outcome('terminate', big)).toEqual({ status: 0, signal: null, said: ['alive'], stderr: '' });
  });

  it('survives a worker that is terminated with calls in the queue and no other user of the engine', async () => {
    expect(await outcome('terminate-only-user', big)).toEqual({
      status: 0,
      signal: null,
      said: ['alive'],
      stderr: '',
    });
  });

  it('exits at once with the given code when process.exit() is called during training', async () => {
    const result = await outcome('exit', big);
    expect(result).toEqual({ status: 7, signal: null, said: ['leaving'], stderr: '' });
  });

  it('exits by itself with a model open and nothing to do', async () => {
    expect(await outcome('idle', tiny)).toEqual({ status: 0, signal: null, said: ['done'], stderr: '' });
  });

  it('stays alive until a call that is not awaited has finished', async () => {
    expect(await outcome('pending', big)).toEqual({
      status: 0,
      signal: null,
      said: ['finished'],
      stderr: '',
    });
  });

  it('ends with an uncaught error during training as Node does', async () => {
    const { status, signal, stderr } = await outcome('throw', big);
    expect({ status, signal }).toEqual({ status: 1, signal: null });
    expect(stderr).toContain('thrown on purpose');
  });

  it('frees models that are dropped without dispose()', async () => {
    expect(await outcome('drop', big)).toEqual({ status: 0, signal: null, said: ['bounded'], stderr: '' });
  });
});
