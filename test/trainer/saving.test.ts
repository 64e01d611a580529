import { mkdirSync, readFileSync, readdirSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { errorOf } from '../helpers/error-of.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(join(tempDir(), 'model'));
});
const trainDataset = trainingRows(24, tinyConfig.vocab_size);
const rows = [[1, 2, 3, 4], [9], [60, 61]];

async function logitsOf(folder: string): Promise<Float32Array> {
  const model = await CausalLM.fromPretrained(folder);
  const { data } = await model.logits(rows);
  model.dispose();
  return data;
}

describe('a saved model', () => {
  it('opens again with the very same logits', async () => {
    const out = join(tempDir(), 'saved');
    const model = await CausalLM.fromPretrained(dir);
    const trainer = new AdaptiveTrainer({ model, trainDataset, args: plainArgs });
    await trainer.train();
    await trainer.saveModel(out);
    const { data } = await model.logits(rows);
    expect(await logitsOf(out)).toEqual(data);
    expect(await logitsOf(dir)).not.toEqual(data);
    expect(readdirSync(out).sort()).toEqual(['config.json', 'model.safetensors']);
    model.dispose();
  });

  it("has the run's padding side, and the caller's tokenizer keeps its own", async () => {
    const model = await CausalLM.fromPretrained(dir);
    const tokenizer = await Tokenizer.fromPretrained(seedDir);
    const { paddingSide } = tokenizer;
    const other = paddingSide === 'left' ? 'right' : 'left';
    const trainer = new AdaptiveTrainer({
      model,
      tokenizer,
      trainDataset,
      args: { ...plainArgs, paddingSide: other },
    });
    const out = join(tempDir(), 'saved');
    await trainer.saveModel(out);
    expect(tokenizer.paddingSide).toBe(paddingSide);
    expect((await Tokenizer.fromPretrained(out)).paddingSide).toBe(other);
    model.dispose();
  });

  it('is float32 also when it was trained in bfloat16: nothing of the weights is lost', async () => {
    const out = join(tempDir(), 'run');
    const model = await CausalLM.fromPretrained(dir);
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset,
      outputDir: out,
      args: { ...plainArgs, precision: 'bf16', learningRate: 1e-5 },
    });
    const { path } = await trainer.train();
    const [before, after] = [dir, path].map((folder) => readSafetensors(join(folder, 'model.safetensors')));
    // A learning rate of 1e-5 over 6 steps would vanish in bfloat16 (3 digits).
    const name = 'model.layers.0.mlp.up_proj.weight';
    expect(after![name]!.data).toBeInstanceOf(Float32Array);
    expect(after![name]!.data).not.toEqual(before![name]!.data);
    model.dispose();
  });

  it.each([
    ['bfloat16', 'BF16', 2 ** -8],
    ['float16', 'F16', 2 ** -11],
  ] as const)('may be stored as %s', async (dtype, name, rounding) => {
    const out = join(tempDir(), 'saved');
    const model = await CausalLM.fromPretrained(dir);
    await model.savePretrained(out, { dtype });
    const file = readFileSync(join(out, 'model.safetensors'));
    expect(file.toString('latin1', 8, 400)).toContain(`"${name}"`);
    expect((JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as { dtype: string }).dtype).toBe(
      dtype,
    );
    const again = await CausalLM.fromPretrained(out);
    await again.savePretrained(join(out, 'again'));
    const [exact, rounded] = [dir, join(out, 'again')].map((folder) =>
      readSafetensors(join(folder, 'model.safetensors')),
    );
    for (const key of Object.keys(exact!)) {
      exact![key]!.data.forEach((value, i) => {
        const gap = Math.abs(Number(rounded![key]!.data[i]) - Number(value));
        expect(gap).toBeLessThanOrEqual(Math.abs(Number(value)) * rounding + 1e-7);
      });
    }
    model.dispose();
    again.dispose();
  });

  it('goes over an older one, shards and all', async () => {
    const out = tempDir();
    writeFileSync(join(out, 'model.safetensors'), 'old');
    writeFileSync(join(out, 'model.safetensors.index.json'), '{"weight_map":{}}');
    const model = await CausalLM.fromPretrained(dir);
    await model.savePretrained(out);
    expect(await logitsOf(out)).toEqual(await logitsOf(dir));
    // Over the very file it was read from, too.
    await model.savePretrained(out);
    const reopened = await CausalLM.fromPretrained(out);
    await reopened.savePretrained(out);
    expect(await logitsOf(out)).toEqual(await logitsOf(dir));
    model.dispose();
    reopened.dispose();
  });

  it('that cannot be written is an error, and leaves nothing half-done', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const folder = tempDir();
    writeFileSync(join(folder, 'file'), '');
    await errorOf(() => model.savePretrained(join(folder, 'file')), 'IO_FAILED');
    mkdirSync(join(folder, 'taken', 'model.safetensors'), { recursive: true });
    await errorOf(() => model.savePretrained(join(folder, 'taken')), 'IO_FAILED');
    expect(readdirSync(join(folder, 'taken'))).toEqual(['model.safetensors']);
    await errorOf(() => model.savePretrained(folder, { dtype: 'int8' as 'float32' }), 'INVALID_INPUT');
    model.dispose();
  });
});

describe('checkpoints', () => {
  it('are kept up to saveTotalLimit, the newest ones', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = { saveStrategy: 'steps', saveSteps: 1, saveTotalLimit: 2, batchSize: 2 } as const;
    await trainRun(dir, { trainDataset, outputDir, args });
    expect(readdirSync(outputDir).sort()).toEqual(['checkpoint-11', 'checkpoint-12', 'final_model']);
    expect(await logitsOf(join(outputDir, 'checkpoint-12'))).toEqual(
      await logitsOf(join(outputDir, 'final_model')),
    );
    expect(await logitsOf(join(outputDir, 'checkpoint-11'))).not.toEqual(
      await logitsOf(join(outputDir, 'final_model')),
    );
  });

  it('are all kept where saveTotalLimit is null', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = { saveStrategy: 'steps', saveSteps: 2, saveTotalLimit: null } as const;
    await trainRun(dir, { trainDataset, outputDir, args });
    expect(readdirSync(outputDir).sort()).toEqual([
      'checkpoint-2',
      'checkpoint-4',
      'checkpoint-6',
      'final_model',
    ]);
  });

  it('appear whole: under their name there is never half of one', async () => {
    const outputDir = join(tempDir(), 'run');
    mkdirSync(outputDir);
    const partial: string[] = [];
    const watcher = watch(outputDir, (_, name) => {
      if (!/^checkpoint-\d+$/.test(name ?? '')) return;
      try {
        const files = readdirSync(join(outputDir, name!));
        if (!files.includes('model.safetensors') || !files.includes('config.json'))
          partial.push(`${name}: ${files.join(' ')}`);
      } catch {
        // Gone again: rotated away.
      }
    });
    const args = { saveStrategy: 'steps', saveSteps: 1, saveTotalLimit: null, batchSize: 2 } as const;
    await trainRun(dir, { trainDataset, outputDir, args });
    watcher.close();
    expect(partial).toEqual([]);
    expect(readdirSync(outputDir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('take the place of what an earlier, broken run left', async () => {
    const outputDir = join(tempDir(), 'run');
    mkdirSync(join(outputDir, 'checkpoint-3.tmp'), { recursive: true });
    mkdirSync(join(outputDir, 'checkpoint-3'));
    writeFileSync(join(outputDir, 'checkpoint-3', 'model.safetensors'), 'half');
    writeFileSync(join(outputDir, 'checkpoint-3.tmp', 'model.safetensors'), 'half');
    const args = { saveStrategy: 'steps', saveSteps: 3, overwriteOutputDir: true } as const;
    await trainRun(dir, { trainDataset, outputDir, args });
    await logitsOf(join(outputDir, 'checkpoint-3'));
    expect(readdirSync(outputDir)).not.toContain('checkpoint-3.tmp');
  });

  it('are missed with a warning where there is no outputDir', async () => {
    const warnings: string[] = [];
    await trainRun(dir, {
      trainDataset,
      args: { saveStrategy: 'steps', saveSteps: 2 },
      callbacks: [{ onWarning: ({ code }) => void warnings.push(code) }],
    });
    expect(warnings).toEqual(['NO_CHECKPOINTS']);
  });

  it('in an outputDir that cannot be made are an error', async () => {
    const folder = tempDir();
    writeFileSync(join(folder, 'file'), '');
    await errorOf(() => trainRun(dir, { trainDataset, outputDir: join(folder, 'file', 'run') }), 'IO_FAILED');
  });
});
