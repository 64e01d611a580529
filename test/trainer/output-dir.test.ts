import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { StartEvent } from '../../src/events/training-event.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { errorOf } from '../helpers/error-of.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';

const fixture = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const { rows } = JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8')) as { rows: TrainingRow[] };
const plain: NonNullable<AdaptiveTrainerOptions['args']> = {
  batchSize: 4,
  gradientAccumulationSteps: 1,
  maxSteps: 6,
  learningRate: 1e-3,
  warmupSteps: 0,
  optimizer: 'adamw',
  fp16: false,
  saveSteps: 2,
  evalStrategy: 'no',
};

async function train(
  outputDir: string,
  args: AdaptiveTrainerOptions['args'] = {},
  options: Partial<AdaptiveTrainerOptions> = {},
) {
  const model = await CausalLM.fromPretrained(fixture);
  const warnings: string[] = [];
  let start: StartEvent | undefined;
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: rows,
    outputDir,
    args: { ...plain, ...args },
    ...options,
    callbacks: [
      { onWarning: ({ code }) => void warnings.push(code), onStart: (event) => void (start = event) },
      ...(options.callbacks ?? []),
    ],
  });
  try {
    const end = await trainer.train();
    return { end, warnings, start: start! };
  } finally {
    model.dispose();
  }
}

const checkpointsIn = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.startsWith('checkpoint-'))
    .sort((a, b) => Number(a.slice(11)) - Number(b.slice(11)));
const runIdOf = (dir: string, file = 'checkpoint.json') =>
  (JSON.parse(readFileSync(join(dir, file), 'utf8')) as { runId: string }).runId;
/** Every file below a folder with its bytes. */
const contentOf = (dir: string) =>
  new Map(
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, readFileSync(path).toString('base64')]),
  );

describe('an output folder that holds another run', () => {
  it('is refused, whole and unchanged, naming what is there and the ways on', async () => {
    const out = tempDir();
    await train(out);
    const before = contentOf(out);
    const error = await errorOf(() => train(out, { maxSteps: 2 }), 'OUTPUT_DIR_USED');
    for (const part of [out, 'checkpoint-2, checkpoint-4, checkpoint-6 and final_model'])
      expect(error.message).toContain(part);
    for (const way of ['resumeFromCheckpoint: true', 'overwriteOutputDir: true', 'another outputDir'])
      expect(error.message).toContain(way);
    expect(contentOf(out)).toEqual(before);
  });

  it.each([
    ['a finished model alone', { saveStrategy: 'no' } as const],
    ['a finished model alone, which --resume cannot go on from', { saveStrategy: 'no' } as const, true],
  ])('is refused for %s', async (_name, args, resumeFromCheckpoint = false) => {
    const out = tempDir();
    await train(out, args);
    await errorOf(() => train(out, { ...args, resumeFromCheckpoint }), 'OUTPUT_DIR_USED');
    await train(out, { ...args, overwriteOutputDir: true });
  });

  it('is refused where another program made the checkpoint', async () => {
    const out = tempDir();
    mkdirSync(join(out, 'checkpoint-500'));
    writeFileSync(join(out, 'checkpoint-500', 'optimizer.pt'), 'of another library');
    const error = await errorOf(() => train(out), 'OUTPUT_DIR_USED');
    expect(error.message).not.toContain('resumeFromCheckpoint');
    await errorOf(() => train(out, { resumeFromCheckpoint: true }), 'OUTPUT_DIR_USED');
    expect(readdirSync(join(out, 'checkpoint-500'))).toEqual(['optimizer.pt']);
  });

  it('is free where only data, logs and leftovers lie in it', async () => {
    const out = tempDir();
    mkdirSync(join(out, 'data'));
    mkdirSync(join(out, 'checkpoint-7.tmp'));
    mkdirSync(join(out, 'final_model'));
    writeFileSync(join(out, 'final_model', 'model.safetensors.0a1b2c3d.tmp'), 'half');
    writeFileSync(join(out, 'metrics.jsonl'), '{"type":"start"}\n');
    await train(out);
    expect(existsSync(join(out, 'checkpoint-7.tmp'))).toBe(false);
    expect(readdirSync(join(out, 'final_model'))).not.toContain('model.safetensors.0a1b2c3d.tmp');
  });

  it('overwritten, keeps nothing of the older run, and everything of the newer', async () => {
    const out = tempDir();
    const old = await train(out, { maxSteps: 12 });
    const kept: string[] = [];
    const onSave = ({ path }: { path: string }) => void (existsSync(path) && kept.push(path));
    const args = { overwriteOutputDir: true, saveSteps: 1, maxSteps: 3, saveTotalLimit: 1 };
    const { start, warnings } = await train(out, args, { callbacks: [{ onSave }] });
    expect(warnings).toContain('OUTPUT_DIR_OVERWRITTEN');
    expect(start.runId).not.toBe(old.start.runId);
    expect(kept.map((path) => path.split('/').at(-1))).toEqual([
      'checkpoint-1',
      'checkpoint-2',
      'checkpoint-3',
      'final_model',
    ]);
    expect(checkpointsIn(out)).toEqual(['checkpoint-3']);
    expect(runIdOf(join(out, 'checkpoint-3'))).toBe(start.runId);
    expect(runIdOf(join(out, 'checkpoint-3'), 'run_state.json')).toBe(start.runId);
    const resumed = await train(out, { resumeFromCheckpoint: true, maxSteps: 4 });
    expect(resumed.start).toMatchObject({ runId: start.runId, resumedFrom: { step: 3 } });
  });

  it('that gets a stranger’s checkpoint meanwhile neither deletes nor counts nor resumes it', async () => {
    const [out, other] = [tempDir(), tempDir()];
    await train(other, { maxSteps: 40, saveSteps: 40 });
    const copyIn = ({ step }: { step: number }) => {
      if (step === 1) cpSync(join(other, 'checkpoint-40'), join(out, 'checkpoint-40'), { recursive: true });
    };
    await train(out, { saveSteps: 1, saveTotalLimit: 2 }, { callbacks: [{ onStepEnd: copyIn }] });
    expect(checkpointsIn(out)).toEqual(['checkpoint-5', 'checkpoint-6', 'checkpoint-40']);
    // Going on would in the end write over it.
    const error = await errorOf(() => train(out, { resumeFromCheckpoint: true }), 'OUTPUT_DIR_USED');
    expect(error.message).toContain('checkpoint-40');
    rmSync(join(out, 'checkpoint-40'), { recursive: true });
    const { start } = await train(out, { resumeFromCheckpoint: true, maxSteps: 7 });
    expect(start.resumedFrom!.step).toBe(6);
  });

  it('gone on with from an older checkpoint, keeps the later ones unless told otherwise', async () => {
    const out = tempDir();
    const first = await train(out);
    const from = join(out, 'checkpoint-2');
    const error = await errorOf(() => train(out, { resumeFromCheckpoint: from }), 'OUTPUT_DIR_USED');
    expect(error.message).toContain('checkpoint-4 and checkpoint-6');
    const args = { resumeFromCheckpoint: from, overwriteOutputDir: true, maxSteps: 3 };
    const { start } = await train(out, args);
    expect(start).toMatchObject({ runId: first.start.runId, resumedFrom: { step: 2 } });
    expect(checkpointsIn(out)).toEqual(['checkpoint-2', 'checkpoint-3']);
    const { start: next } = await train(out, { resumeFromCheckpoint: true, maxSteps: 4 });
    expect(next.resumedFrom!.step).toBe(3);
  });

  it('is another run where a run goes on from a checkpoint that lies elsewhere', async () => {
    const [out, other] = [tempDir(), tempDir()];
    const first = await train(out);
    const from = join(out, 'checkpoint-4');
    const { start } = await train(other, { resumeFromCheckpoint: from });
    expect(start.runId).not.toBe(first.start.runId);
    expect(start.resumedFrom).toEqual({ path: from, step: 4, runId: first.start.runId });
    await errorOf(() => train(other, { resumeFromCheckpoint: from }), 'OUTPUT_DIR_USED');
  });

  it('keeps its run when it moves, or is reached by a symlink', async () => {
    const parent = tempDir();
    const out = join(parent, 'out');
    const { start } = await train(out);
    renameSync(out, join(parent, 'moved'));
    symlinkSync(join(parent, 'moved'), join(parent, 'link'));
    const from = join(parent, 'moved', 'checkpoint-6');
    const args = { resumeFromCheckpoint: from, maxSteps: 7 };
    const resumed = await train(join(parent, 'link'), args);
    expect(resumed.start).toMatchObject({ runId: start.runId, resumedFrom: { step: 6 } });
  });

  it('never tells of a state that is not there', async () => {
    const out = tempDir();
    const controller = new AbortController();
    // Somebody tidies up just before the run is aborted.
    const onStepEnd = ({ step }: { step: number }) => {
      if (step === 5) controller.abort();
    };
    const onSave = ({ path, step }: { path: string; step: number }) => {
      if (step === 4) rmSync(path, { recursive: true });
    };
    const options = { signal: controller.signal, callbacks: [{ onStepEnd, onSave }] };
    const error = await errorOf(() => train(out, {}, options), 'ABORTED');
    const { checkpoint } = error.details as { checkpoint: string };
    expect(error.message).toContain(checkpoint);
    expect(existsSync(join(checkpoint, 'checkpoint.json'))).toBe(true);
  });
});

describe('two runs in one output folder at once', () => {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  });

  const program = new URL('output-dir-child.ts', import.meta.url);

  /** Starts a run in a process of its own and waits until it has saved once. */
  async function startRun(out: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['--import', 'tsx', program.pathname, out], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.on('exit', () => reject(new Error('The child ended too early.')));
      child.stdout!.on('data', () => {
        if (checkpointsIn(out).some((name) => !name.endsWith('.tmp'))) resolve();
      });
    });
    return child;
  }

  it('the second is refused, also by a symlink, and told who is there', { timeout: 120_000 }, async () => {
    const parent = tempDir();
    const [out, link] = [join(parent, 'out'), join(parent, 'link')];
    mkdirSync(out);
    symlinkSync(out, link);
    const first = await startRun(out);
    for (const path of [out, link]) {
      const { stdout } = await runChild(program, [path]);
      expect(stdout).toMatch(/^OUTPUT_DIR_BUSY\n/);
      expect(stdout).toContain(`process ${first.pid}`);
      expect(stdout).toContain(path);
      expect(stdout).not.toContain('libtorch');
    }
    await errorOf(() => train(out, { overwriteOutputDir: true }), 'OUTPUT_DIR_BUSY');
    // The first one is still at it.
    await new Promise((resolve) => first.stdout!.once('data', resolve));
  });

  it('what a killed one left is taken over at once', { timeout: 120_000 }, async () => {
    const out = tempDir();
    const first = await startRun(out);
    const gone = new Promise((resolve) => first.on('exit', resolve));
    first.kill('SIGKILL');
    await gone;
    expect(readdirSync(out)).toContain('.run.lock');
    // Without a look at the process it would wait for the lock to grow stale.
    const later = Date.now() / 1000 + 3600;
    utimesSync(join(out, '.run.lock'), later, later);
    await train(out, { overwriteOutputDir: true, maxSteps: 1 });
    expect(readdirSync(out).filter((name) => name.startsWith('.run'))).toEqual([]);
  });

  it('in one process are refused, too', async () => {
    const out = tempDir();
    let second: Promise<unknown> | undefined;
    await train(
      out,
      {},
      { callbacks: [{ onStart: () => void (second = errorOf(() => train(out), 'OUTPUT_DIR_BUSY')) }] },
    );
    await second;
  });

  it('the lock of a process on another machine holds until it grows stale', async () => {
    const out = tempDir();
    const lock = join(out, '.run.lock');
    const holder = { id: 'x', pid: 1, born: null, host: `not-${hostname()}`, runName: 'far', since: 'then' };
    mkdirSync(lock);
    writeFileSync(join(out, '.run.lock.json'), JSON.stringify(holder));
    const error = await errorOf(() => train(out), 'OUTPUT_DIR_BUSY');
    expect(error.message).toContain(`process 1 on not-${hostname()} (run "far", since then)`);
    const minuteAgo = Date.now() / 1000 - 60;
    utimesSync(lock, minuteAgo, minuteAgo);
    await train(out);
  });

  it('one whose folder was taken over stops before it writes into it', async () => {
    const out = tempDir();
    const other = { id: 'x', pid: 1, born: null, host: 'elsewhere', runName: 'robber', since: 'then' };
    const rob = ({ step }: { step: number }) => {
      if (step === 3) writeFileSync(join(out, '.run.lock.json'), JSON.stringify(other));
    };
    const error = await errorOf(() => train(out, {}, { callbacks: [{ onStepEnd: rob }] }), 'OUTPUT_DIR_BUSY');
    expect(error.message).toContain('robber');
    expect(checkpointsIn(out)).toEqual(['checkpoint-2']);
  });
});
