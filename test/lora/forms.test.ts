import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PeftConfigInput } from '../../src/config/schema/config-input.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { flatBatch } from '../../src/model/flat-batch.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TokenBatch, TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { largestDifference } from '../helpers/differences.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { losses, plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const root = 'test/fixtures/models';
const rows = [[1, 2, 3, 4], [7], Array.from({ length: 30 }, (_, i) => (i * 13) % 53)];
const tables = ['q_proj', 'embed_tokens', 'lm_head'];

/** Name, base, adapter: one of each kind of addition beside the plain one. */
const kinds: readonly [string, string, PeftConfigInput][] = [
  ['tables', 'llama', { r: 4, targetModules: tables, loraDropout: 0.2 }],
  ['tied tables', 'qwen2', { r: 4, targetModules: tables, ensureWeightTying: true, loraDropout: 0.2 }],
  ['a head taken off', 'qwen2', { r: 4, targetModules: ['lm_head'], loraDropout: 0.2 }],
  ['a tied embedding', 'qwen2', { modulesToSave: ['embed_tokens'], ensureWeightTying: true }],
  ['tokens', 'qwen2', { trainableTokenIndices: [1, 5, 13, 26] }],
  ['tokens apart', 'qwen2', { trainableTokenIndices: { embed_tokens: [1, 5], lm_head: [13, 26] } }],
  ['biases', 'qwen2', { targetModules: ['q_proj'], bias: 'lora_only' }],
  ['parameters', 'gpt2', { targetModules: [], targetParameters: ['c_attn.weight', 'c_fc.weight'] }],
  ['pissa', 'llama', { targetModules: 'all-linear', initLoraWeights: 'pissa' }],
  ['pissa_niter_4', 'qwen3', { targetModules: 'all-linear', initLoraWeights: 'pissa_niter_4' }],
  ['olora', 'gpt2', { targetModules: 'all-linear', initLoraWeights: 'olora', useRslora: true }],
  ['a head with a bias', '../extra/models/phi', { targetModules: ['q_proj', 'lm_head'], loraDropout: 0.2 }],
  ['all biases', '../extra/models/phi', { targetModules: ['fc1', 'lm_head'], bias: 'all' }],
  ['tables', '../extra/models/gptneox', { targetModules: ['query_key_value', 'embed_in', 'lm_head'] }],
  [
    'many things',
    '../extra/models/gemma3-whole',
    {
      targetModules: ['q_proj', 'lm_head'],
      targetParameters: ['up_proj.weight'],
      trainableTokenIndices: [1, 5],
    },
  ],
  ['pissa with magnitudes', 'llama', { initLoraWeights: 'pissa', useDora: true }],
  [
    'experts',
    '../extra/models/mixtral',
    { targetModules: ['q_proj'], targetParameters: ['experts.gate_up_proj', 'experts.down_proj'] },
  ],
  ['experts by their former names', '../extra/models/qwen3moe', { targetModules: 'all-linear' }],
  [
    'experts and their biases',
    '../extra/models/gptoss',
    { targetModules: ['v_proj'], targetParameters: ['down_proj', 'router.weight'], bias: 'all' },
  ],
];

const open = (base: string, adapter: PeftConfigInput) =>
  CausalLM.fromPretrained(join(root, base), { adapter, adapterSeed: 3, ignoreDropout: true });

/** Weights tokens by how unsure they are. */
class Weighted extends AdaptiveTrainer {
  protected override tokenWeights({ confidence }: TokenStatisticsArrays, { labels }: TokenBatch) {
    return confidence.map((p) => (1 - p) / labels.length);
  }
}

async function train(
  base: string,
  adapter: PeftConfigInput,
  args: AdaptiveTrainerOptions['args'] = {},
  options: Partial<AdaptiveTrainerOptions> = {},
  resumeFromCheckpoint?: boolean,
  Trainer = AdaptiveTrainer,
) {
  const model = await open(base, adapter);
  const steps: StepEvent[] = [];
  const trainer = new Trainer({
    model,
    trainDataset: trainingRows(24, model.vocabSize),
    args: { ...plainArgs, ...args },
    callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
    ...options,
  });
  await trainer.train(resumeFromCheckpoint === undefined ? {} : { resumeFromCheckpoint });
  return { model, steps };
}

describe.each(kinds)('an adapter of %s on %s', (_, base, adapter) => {
  it('changes nothing before it is trained', async () => {
    const plain = await CausalLM.fromPretrained(join(root, base), { ignoreDropout: true });
    const model = await open(base, adapter);
    const [before, after] = [await plain.logits(rows), await model.logits(rows)];
    expect(largestDifference(after.data, before.data)).toBeLessThan(2e-5);
    plain.dispose();
    model.dispose();
  });

  it('learns, the same to the bit with its blocks recomputed and its batches cut', async () => {
    const args = { numEpochs: 3, learningRate: 1e-2 };
    const kept = await train(base, adapter, args);
    const again = await train(base, adapter, { ...args, gradientCheckpointing: true });
    expect(losses(again.steps)).toEqual(losses(kept.steps));
    const epoch = kept.steps.length / 3;
    const sum = (steps: StepEvent[]) => losses(steps).reduce((a, b) => a + b);
    expect(sum(kept.steps.slice(-epoch))).toBeLessThan(sum(kept.steps.slice(0, epoch)));
    kept.model.dispose();
    again.model.dispose();
  });

  it('goes with weights of tokens, accumulation and retention, the same to the bit with its blocks recomputed', async () => {
    const { bos_token_id: bos, vocab_size: size } = JSON.parse(
      readFileSync(join(root, base, 'config.json'), 'utf8'),
    ) as {
      bos_token_id?: number | null;
      vocab_size: number;
    };
    const hasBos = typeof bos === 'number' && bos < size;
    const trainsWhole = adapter.bias !== undefined || adapter.modulesToSave !== undefined;
    const args = {
      ...{ batchSize: 2, gradientAccumulationSteps: 2, maxSteps: 4, weightDecay: 0.1 },
      // What holds a model to its base is written by the base, from that token on.
      ...(trainsWhole || !hasBos ? {} : { retention: { samples: 8, length: 16, tokensPerStep: 16 } }),
    };
    const kept = await train(base, adapter, args, {}, undefined, Weighted);
    const again = { ...args, gradientCheckpointing: true };
    const recomputed = await train(base, adapter, again, {}, undefined, Weighted);
    expect(losses(recomputed.steps)).toEqual(losses(kept.steps));
    for (const { loss, gradNorm } of kept.steps) {
      expect(Number.isFinite(loss)).toBe(true);
      expect(gradNorm).toBeGreaterThan(0);
    }
    const { data } = await kept.model.logits(rows);
    expect((await recomputed.model.logits(rows)).data).toEqual(data);
    kept.model.dispose();
    recomputed.model.dispose();
  });

  it('is saved, opened again and merged to the same logits', async () => {
    const { model } = await train(base, adapter, { learningRate: 1e-2 });
    const { data } = await model.logits(rows);
    const [dir, whole] = [tempDir(), tempDir()];
    await model.savePretrained(dir);
    const reopened = await CausalLM.fromPretrained(dir, { ignoreDropout: true });
    expect(largestDifference((await reopened.logits(rows)).data, data)).toBeLessThan(2e-5);
    reopened.dispose();
    await model.mergeAdapter();
    expect(largestDifference((await model.logits(rows)).data, data)).toBeLessThan(2e-5);
    await model.savePretrained(whole);
    model.dispose();
    const plain = await CausalLM.fromPretrained(whole, { ignoreDropout: true });
    expect(largestDifference((await plain.logits(rows)).data, data)).toBeLessThan(2e-5);
    plain.dispose();
  });

  it('goes on from a checkpoint to the same bytes', async () => {
    const args = {
      ...({ numEpochs: 2, saveStrategy: 'steps', saveSteps: 2, shuffle: true, learningRate: 1e-2 } as const),
      ...({ precision: 'bf16', gradientAccumulationSteps: 2, loraplusLrRatio: 4 } as const),
    };
    const [whole, broken] = [tempDir(), tempDir()];
    (await train(base, adapter, args, { outputDir: whole })).model.dispose();
    const stopping = new AbortController();
    const callbacks = [{ onStepEnd: ({ step }: StepEvent) => void (step === 3 && stopping.abort()) }];
    const stopped = train(base, adapter, args, { outputDir: broken, signal: stopping.signal, callbacks });
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
    (await train(base, adapter, args, { outputDir: broken }, true)).model.dispose();
    const final = 'final_model/adapter_model.safetensors';
    expect(readFileSync(join(broken, final)).equals(readFileSync(join(whole, final)))).toBe(true);
    expect(readdirSync(join(whole, 'final_model'))).toContain('adapter_config.json');
  });

  it.skipIf(adapter.bias !== undefined || adapter.modulesToSave !== undefined)(
    'is measured against the model without it, once it is trained',
    async () => {
      const { model: trained } = await train(base, adapter, { learningRate: 1e-2 });
      const dir = tempDir();
      await trained.savePretrained(dir, { plainLora: false });
      const plain = await CausalLM.fromPretrained(join(root, base), { ignoreDropout: true });
      const [before, after] = [await plain.logits(rows), await trained.logits(rows)];
      plain.dispose();
      trained.dispose();
      const model = await open(base, adapter);
      await model.call((native) => native.keepBase());
      await model.restore(dir);
      const retained = { store: -1, rows: Int32Array.from(rows.keys()), weight: 0 };
      const batch = { ...flatBatch(rows), retained };
      const { divergence } = await model.call((native) => native.divergence(batch));
      const wanted = divergenceOf(before.data, after.data, model.vocabSize);
      expect(wanted).toBeGreaterThan(1e-2);
      expect(Math.abs(divergence / wanted - 1)).toBeLessThan(1e-3);
      model.dispose();
    },
  );
});

/** Σ KL(before ‖ after) over the tokens. */
function divergenceOf(before: Float32Array, after: Float32Array, vocabulary: number): number {
  const logProbabilities = (row: Float32Array) => {
    const largest = Math.max(...row);
    const sum = Math.log(row.reduce((total, value) => total + Math.exp(value - largest), 0));
    return Array.from(row, (value) => value - largest - sum);
  };
  let total = 0;
  for (let at = 0; at < before.length; at += vocabulary) {
    const [p, q] = [before, after].map((all) => logProbabilities(all.subarray(at, at + vocabulary)));
    total += p!.reduce((sum, log, i) => sum + Math.exp(log) * (log - q![i]!), 0);
  }
  return total;
}

describe('a tied head', () => {
  it('shares A and B with the embedding, and both gather their own gradients', async () => {
    const { model } = await train('qwen2', { r: 2, targetModules: tables, ensureWeightTying: true });
    const dir = tempDir();
    await model.savePretrained(dir);
    expect(model.decoder.tiedHead).toBe(true);
    model.dispose();
    const saved = readSafetensors(join(dir, 'adapter_model.safetensors'));
    const find = (end: string) => Object.entries(saved).find(([name]) => name.endsWith(end))![1];
    const [a, b] = [find('embed_tokens.lora_embedding_A'), find('lm_head.lora_B.weight')];
    const [rank, vocabulary] = a.shape as [number, number];
    expect(b.shape).toEqual([vocabulary, rank]);
    for (let row = 0; row < vocabulary; row++)
      for (let i = 0; i < rank; i++) expect(b.data[row * rank + i]).toBe(a.data[i * vocabulary + row]);
  });

  it('of a merged adapter of its own comes off the embedding, and else stays', async () => {
    const model = await open('qwen2', { targetModules: ['lm_head'] });
    await model.mergeAdapter();
    expect(model.decoder.tiedHead).toBe(false);
    expect(model.config['tie_word_embeddings']).toBe(false);
    model.dispose();
    const tied = await open('qwen2', { targetModules: tables, ensureWeightTying: true });
    await tied.mergeAdapter();
    expect(tied.decoder.tiedHead).toBe(true);
    tied.dispose();
  });
});
