import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { confidence } from '../../src/trainer/step/confidence.js';

const config = (adaptiveLoss: object) => parseTrainerConfig({ adaptiveLoss }).adaptiveLoss;

describe('confidence', () => {
  it('is 0 where none is configured, so that every first choice is correct', () => {
    expect(confidence(2, config({}))).toBe(0);
  });

  it('moves evenly from the initial to the final one and stays there', () => {
    const ramp = config({ initialConfidence: 0.2, finalConfidence: 0.8, curriculumEpochs: 2 });
    expect([0, 0.5, 1, 2, 7].map((epoch) => confidence(epoch, ramp))).toEqual(
      [0.2, 0.35, 0.5, 0.8, 0.8].map((value) => expect.closeTo(value, 12)),
    );
  });

  it('may fall, and may stay', () => {
    const falling = config({ initialConfidence: 0.9, finalConfidence: 0.5, curriculumEpochs: 1 });
    expect(confidence(0.5, falling)).toBeCloseTo(0.7, 12);
    expect(confidence(3, config({ initialConfidence: 0.4 }))).toBe(0.4);
  });
});
