import {
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { seededRandom } from '../../src/common/seeded-random.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';

const fixture = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const { rows } = JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8')) as { rows: TrainingRow[] };

/** When a child kills itself: so many steps after it began, and so much of another step after that, or once it writes a checkpoint. */
interface Kill {
  steps: number;
  moment: number | 'a save';
}

/** Runs the child until it ends or is killed the hard way. Returns whether it finished. */
async function finishes(folder: string, kill?: Kill): Promise<boolean> {
  const script = new URL('resume-child.ts', import.meta.url);
  const args = [join(folder, 'out'), join(folder, 'losses.jsonl')];
  const moments = kill === undefined ? [] : [String(kill.steps), String(kill.moment)];
  const { status, signal, stderr } = await runChild(script, [...args, ...moments]);
  if (status !== 0 && signal !== 'SIGKILL') throw new Error(`The child failed: ${stderr}`);
  return status === 0;
}

const isSaving = (folder: string) => readdirSync(join(folder, 'out')).some((name) => name.endsWith('.tmp'));

/** The last line of each step: a step done twice, before and after a kill, must come out the same. */
function readLosses(path: string): Map<number, string> {
  const steps = new Map<number, string>();
  for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
    const { step } = JSON.parse(line) as { step: number };
    if (steps.has(step)) expect(line, `step ${step} done again`).toBe(steps.get(step));
    steps.set(step, line);
  }
  return steps;
}

/** The steps and evaluations that metrics.jsonl tells of the last run in it. Every line of it is whole. */
function readMetrics(outputDir: string): { type: string; step: number; loss: number }[] {
  const lines = readFileSync(join(outputDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const entries = lines.map(
    (line) => JSON.parse(line) as { run: string; type: string; step: number; loss: number },
  );
  const last = entries.at(-1)!.run;
  return entries
    .filter(({ run, type }) => run === last && ['step', 'log', 'evaluate'].includes(type))
    .map(({ type, step, loss }) => ({ type, step, loss }));
}

describe('resuming', () => {
  it('is exact to the byte after kill -9 at 20 random moments', { timeout: 400_000 }, async () => {
    const [whole, broken] = [tempDir(), tempDir()];
    await finishes(whole);
    const random = seededRandom(7);
    let [kills, brokenSaves] = [0, 0];
    // One to four steps on, then within about a step: in it, an evaluation or between them; every third time in a save.
    for (; kills < 20; kills++) {
      const moment = kills % 3 === 2 ? 'a save' : random() * 1.5;
      if (await finishes(broken, { steps: 1 + Math.floor(random() * 4), moment })) break;
      if (isSaving(broken)) brokenSaves++;
    }
    await finishes(broken);
    expect(kills).toBe(20);
    expect(brokenSaves).toBeGreaterThan(0);
    const expected = readLosses(join(whole, 'losses.jsonl'));
    const actual = readLosses(join(broken, 'losses.jsonl'));
    expect(actual.size).toBe(expected.size);
    for (const [step, line] of expected) expect(actual.get(step)).toBe(line);
    for (const file of ['final_model/model.safetensors', 'checkpoint-64/optimizer.safetensors']) {
      const [a, b] = [whole, broken].map((folder) => readFileSync(join(folder, 'out', file)));
      expect(a!.equals(b!), file).toBe(true);
    }
    // What was killed before its first checkpoint was another run; of the last one each step is told once.
    const [told, toldAtOnce] = [broken, whole].map((folder) => readMetrics(join(folder, 'out')));
    expect(told).toEqual(toldAtOnce);
  });

  const args: NonNullable<AdaptiveTrainerOptions['args']> = {
    batchSize: 4,
    gradientAccumulationSteps: 1,
    numEpochs: 2,
    learningRate: 1e-3,
    optimizer: 'adamw',
    fp16: false,
    saveSteps: 4,
    evalStrategy: 'no',
  };

  async function train(
    outputDir: string,
    options: Partial<AdaptiveTrainerOptions> = {},
    from?: boolean | string,
  ) {
    const model = await CausalLM.fromPretrained(fixture);
    const warnings: string[] = [];
    const steps: number[] = [];
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: rows,
      outputDir,
      args,
      callbacks: [
        { onWarning: ({ code }) => void warnings.push(code), onStepEnd: ({ step }) => void steps.push(step) },
      ],
      ...options,
    });
    try {
      await trainer.train(from === undefined ? {} : { resumeFromCheckpoint: from });
      return { warnings, steps };
    } finally {
      model.dispose();
    }
  }

  it('finds a truncated or altered checkpoint by its checksums and takes the one before', async () => {
    const out = tempDir();
    await train(out);
    expect(readdirSync(out).sort()).toEqual(['checkpoint-12', 'checkpoint-4', 'checkpoint-8', 'final_model']);
    const weights = join(out, 'checkpoint-12', 'model.safetensors');
    const bytes = readFileSync(weights);
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(weights, bytes);
    truncateSync(join(out, 'checkpoint-8', 'optimizer.safetensors'), 1000);
    const { warnings, steps } = await train(out, {}, true);
    expect(warnings).toEqual(['CHECKPOINT_DAMAGED', 'CHECKPOINT_DAMAGED']);
    expect(steps[0]).toBe(5);
  });

  it('refuses a damaged checkpoint that was asked for by name', async () => {
    const out = tempDir();
    await train(out);
    const path = join(out, 'checkpoint-8');
    truncateSync(join(path, 'run_state.json'), 10);
    await expect(train(out, {}, path)).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
    await expect(train(out, {}, join(out, 'checkpoint-99'))).rejects.toMatchObject({
      code: 'CHECKPOINT_INVALID',
    });
  });

  it('names what is not the same as in the run that was saved', async () => {
    const out = tempDir();
    await train(out);
    const changed = { args: { ...args, seed: 2 }, trainDataset: rows.slice(1) };
    const error = await train(out, changed, true).catch((caught: unknown) => caught);
    expect(AdaptiveTrainerError.isInstance(error, 'CHECKPOINT_MISMATCH')).toBe(true);
    expect((error as Error).message).toMatch(
      /trainDataset\.content .*args\.seed \(42 in the checkpoint, 2 now\)/,
    );
  });

  it('begins anew, and says so, when there is nothing to resume', async () => {
    const { warnings, steps } = await train(tempDir(), {}, true);
    expect(warnings).toEqual(['NO_CHECKPOINT_TO_RESUME']);
    expect(steps).toHaveLength(12);
  });

  it('saves on abort, and goes on from there to the same end', async () => {
    const [whole, broken] = [tempDir(), tempDir()];
    await train(whole);
    const controller = new AbortController();
    const stopAtFive = {
      onStepEnd: ({ step }: { step: number }) => (step === 5 ? controller.abort() : undefined),
    };
    const aborted = train(broken, { signal: controller.signal, callbacks: [stopAtFive] });
    await expect(aborted).rejects.toMatchObject({
      code: 'ABORTED',
      details: { checkpoint: join(broken, 'checkpoint-5') },
    });
    expect((await train(broken, {}, true)).steps[0]).toBe(6);
    const [a, b] = [whole, broken].map((folder) =>
      readFileSync(join(folder, 'final_model', 'model.safetensors')),
    );
    expect(a!.equals(b!)).toBe(true);
  });

  it('goes on training when a checkpoint cannot be written, or stops where that is wanted', async () => {
    const out = join(tempDir(), 'run');
    // The folder turns into a file before the second checkpoint, and back after it.
    const sabotage = ({ step }: { step: number }) => {
      if (step === 7) renameSync(out, `${out}-aside`);
      if (step === 7) writeFileSync(out, 'in the way');
      if (step === 9) rmSync(out);
      if (step === 9) renameSync(`${out}-aside`, out);
    };
    const codes: string[] = [];
    const callbacks = [
      { onStepEnd: sabotage, onWarning: ({ code }: { code: string }) => void codes.push(code) },
    ];
    await train(out, { callbacks });
    expect(codes).toEqual(['CHECKPOINT_FAILED']);
    expect(readdirSync(out).sort()).toEqual(['checkpoint-12', 'checkpoint-4', 'final_model']);

    const other = join(tempDir(), 'run');
    const block = ({ step }: { step: number }) => {
      if (step === 7) rmSync(other, { recursive: true });
      if (step === 7) writeFileSync(other, 'in the way');
    };
    const stopping = train(other, {
      callbacks: [{ onStepEnd: block }],
      args: { ...args, onSaveError: 'stop' },
    });
    await expect(stopping).rejects.toMatchObject({ code: 'IO_FAILED' });
  });

  it('keeps the best checkpoint when old ones are deleted', async () => {
    const out = tempDir();
    let evaluations = 0;
    class FirstIsBest extends AdaptiveTrainer {
      override async evaluate() {
        const event = await super.evaluate();
        evaluations++;
        return event;
      }
    }
    const model = await CausalLM.fromPretrained(fixture);
    // A rate this high makes every evaluation after the first worse.
    const trainer = new FirstIsBest({
      model,
      trainDataset: rows,
      evalDataset: rows,
      outputDir: out,
      args: {
        ...args,
        learningRate: 1,
        warmupSteps: 0,
        saveSteps: 2,
        evalSteps: 2,
        evalStrategy: 'steps',
        saveTotalLimit: 2,
      },
    });
    await trainer.train();
    const state = JSON.parse(readFileSync(join(out, 'checkpoint-12', 'trainer_state.json'), 'utf8')) as {
      best_model_checkpoint: string;
      global_step: number;
      log_history: Record<string, number>[];
    };
    expect(evaluations).toBe(6);
    expect(state.global_step).toBe(12);
    expect(state.log_history.filter((entry) => 'eval_loss' in entry)).toHaveLength(6);
    expect(readdirSync(out)).toContain(state.best_model_checkpoint);
    expect(readdirSync(out).filter((name) => name.startsWith('checkpoint-'))).toHaveLength(2);
    model.dispose();
  });

  it('takes for the best only a checkpoint whose step was evaluated', async () => {
    const out = tempDir();
    const settings = { ...args, evalStrategy: 'steps', evalSteps: 4, saveSteps: 6 } as const;
    await train(out, { args: settings, evalDataset: rows });
    const [first, last] = [6, 12].map((step) => {
      const path = join(out, `checkpoint-${step}`, 'trainer_state.json');
      return JSON.parse(readFileSync(path, 'utf8')) as { best_model_checkpoint: string | null };
    });
    expect(first!.best_model_checkpoint).toBeNull();
    expect(last!.best_model_checkpoint).toBe('checkpoint-12');
  });

  it('refuses a folder that cannot be made', async () => {
    const file = join(tempDir(), 'run');
    writeFileSync(file, 'a file, not a folder');
    await expect(train(file)).rejects.toMatchObject({ code: 'IO_FAILED' });
    expect(statSync(file).isFile()).toBe(true);
  });
});
