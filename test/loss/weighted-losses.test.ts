import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adaptiveState } from '../../src/loss/adaptive-state.js';
import type { LossRequest } from '../../src/engine/addon.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { relativeToLargest } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

const fixtures = new URL('../fixtures/extra/', import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(join(fixtures, path), 'utf8')) as unknown;

// Autograd in float64 on whole logits (scripts/oracles/weighted_losses.py).
const index = json('weighted-losses/index.json') as {
  case: string;
  losses: {
    key: string;
    loss: LossRequest['loss'];
    topK: number;
    labelSmoothing?: number;
    value: number;
  }[];
};
const shape = (
  json('adaptive-loss/index.json') as {
    name: string;
    batch: number;
    seq: number;
    hidden: number;
    vocab: number;
  }[]
).find(({ name }) => name === index.case)!;
const inputs = readSafetensors(join(fixtures, 'adaptive-loss', `${index.case}.safetensors`));
const expected = readSafetensors(join(fixtures, 'weighted-losses', 'gradients.safetensors'));

function request(
  { loss, topK, labelSmoothing = 0 }: (typeof index)['losses'][number],
  chunkTokens: number,
  training = true,
) {
  return {
    labelSmoothing,
    hidden: Float32Array.from(numbers(inputs['s0.hidden']!)),
    weight: Float32Array.from(numbers(inputs['weight']!)),
    labels: Int32Array.from(numbers(inputs['s0.labels']!)),
    demarcationIds: new Int32Array(),
    styles: new Uint8Array(shape.batch).fill(3),
    rows: shape.batch,
    seq: shape.seq,
    hiddenSize: shape.hidden,
    vocabSize: shape.vocab,
    loss,
    topK,
    confidence: 0,
    scale: 1,
    chunkTokens,
    bfloat16: false,
    training,
    state: adaptiveState(),
  };
}

describe.each(index.losses)('$key', (wanted) => {
  const { key, loss, value } = wanted;
  it.each([1, 5, 0])(
    'is the loss and gradient of autograd, with chunks of %s tokens',
    async (chunkTokens) => {
      const result = await loadAddon().adaptiveLoss(request(wanted, chunkTokens));
      expect(Math.abs(result.loss / value - 1)).toBeLessThan(1e-5);
      expect(relativeToLargest(result.gradHidden!, numbers(expected[`${key}.gradHidden`]!))).toBeLessThan(
        1e-4,
      );
      expect(relativeToLargest(result.gradWeight!, numbers(expected[`${key}.gradWeight`]!))).toBeLessThan(
        1e-4,
      );
      if (loss !== 'adaptive') expect(result.state).toEqual(adaptiveState());
    },
  );

  it('is the same in evaluation', async () => {
    const result = await loadAddon().adaptiveLoss(request(wanted, 0, false));
    expect(Math.abs(result.loss / value - 1)).toBeLessThan(1e-5);
  });
});
