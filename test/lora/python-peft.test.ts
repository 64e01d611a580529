import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const script = fileURLToPath(new URL('../../scripts/oracles/open_in_transformers.py', import.meta.url));
const why = python ? '' : ' (skipped: set ADAPTIVE_TRAINER_PYTHON to a Python that has peft)';

describe.skipIf(!python)(`a trained adapter in Python peft${why}`, () => {
  it.each([
    ['llama', { r: 4, useRslora: true }],
    [
      'llama-3.2',
      { r: 3, targetModules: 'all-linear', rankPattern: { v_proj: 2 }, alphaPattern: { q_proj: 3 } },
    ],
    ['qwen2', { r: 2, targetModules: ['q_proj'], modulesToSave: ['lm_head', 'embed_tokens', 'norm'] }],
    ['phi3', { r: 4, targetModules: ['qkv_proj', 'gate_up_proj'], loraDropout: 0.2 }],
    ['gemma3', { r: 4, targetModules: ['o_proj', 'down_proj'], layersToTransform: [1] }],
    ['../extra/models/gemma3-whole', { r: 4, targetModules: ['o_proj', 'up_proj'], layersToTransform: [1] }],
    [
      '../extra/models/mixtral',
      { r: 2, targetModules: ['q_proj'], targetParameters: ['experts.gate_up_proj', 'down_proj'] },
    ],
    ['../extra/models/olmoe', { r: 2, targetModules: 'all-linear' }],
    [
      '../extra/models/gptoss',
      { r: 2, targetModules: [], targetParameters: ['gate_up_proj', 'router.weight'] },
    ],
    ['gpt2', { r: 4, targetModules: ['c_attn', 'c_proj'] }],
    ['gpt2', { r: 4, useDora: true }],
    ['qwen3', { r: 4, useDora: true, targetModules: '.*_proj', excludeModules: ['k_proj'] }],
  ])('%s with %j opens and gives the same logits', async (name, adapter) => {
    const base = join(process.cwd(), 'test/fixtures/models', name);
    const model = await CausalLM.fromPretrained(base, { adapter, ignoreDropout: true });
    const rows = [[1, 2, 3], [7], Array.from({ length: 40 }, (_, i) => (i * 13) % model.vocabSize)];
    const before = await model.logits(rows);
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(12, model.vocabSize),
      args: { ...plainArgs, learningRate: 1e-2, numEpochs: 2 },
    });
    await trainer.train();
    const dir = tempDir();
    await trainer.saveModel(dir);
    const ours = await model.logits(rows);
    model.dispose();
    expect(largestDifference(ours.data, before.data)).toBeGreaterThan(1e-3);

    const answer = join(tempDir(), 'logits.safetensors');
    execFileSync(python!, [script, dir, '--ids', JSON.stringify(rows), '--out', answer], { stdio: 'pipe' });
    const { logits } = readSafetensors(answer);
    expect(logits!.shape).toEqual(ours.shape);
    expect(largestDifference(ours.data, logits!.data as Float32Array)).toBeLessThan(2e-5);
  });

  it('brings its resized embeddings to Python', async () => {
    const base = join(process.cwd(), 'test/fixtures/models/llama');
    const model = await CausalLM.fromPretrained(base);
    await model.resizeTokenEmbeddings(model.vocabSize + 5, { seed: 3 });
    await model.addAdapter({ r: 2 });
    const dir = tempDir();
    await model.savePretrained(dir);
    const rows = [[1, model.vocabSize - 1, 3]];
    const ours = await model.logits(rows);
    const answer = join(tempDir(), 'logits.safetensors');
    const size = String(model.vocabSize);
    model.dispose();
    execFileSync(
      python!,
      [script, dir, '--ids', JSON.stringify(rows), '--out', answer, '--vocabulary', size],
      { stdio: 'pipe' },
    );
    expect(
      largestDifference(ours.data, readSafetensors(answer)['logits']!.data as Float32Array),
    ).toBeLessThan(2e-5);
  });
});
