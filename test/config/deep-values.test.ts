import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { adaptiveLossConfigSchema } from '../../src/config/schema/adaptive-loss-config.js';
import { trainingConfigSchema } from '../../src/config/schema/training-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

/** Nested deeper than JSON.stringify and String follow. */
function nested(levels = 20_000): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

/** What is told of together with another key. */
const companions = {
  trainingConfig: {
    minLrRate: 0.1,
    momentum: 0.9,
    bf16: true,
    loadBestModelAtEnd: true,
    evalStrategy: 'steps',
  },
  adaptiveLossConfig: { initialConfidence: 0.5 },
};
const base = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a.jsonl'] } };
const options = Object.keys({
  ...{
    modelName: 0,
    outputDir: 0,
    datasetsConfig: 0,
    systemPrompts: 0,
    trainingConfig: 0,
    adaptiveLossConfig: 0,
  },
  ...{ peftConfig: 0, huggingfaceRepo: 0, huggingfaceToken: 0, dataProcessingFunction: 0 },
});

/** Refused, or taken as it is, but never by a stack that overflows. */
function parse(given: object): void {
  try {
    parseConfig(given as Parameters<typeof parseConfig>[0]);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    expect(error.message.length).toBeLessThan(20_000);
  }
}

describe('a value that is nested too deep', () => {
  it.each(options)('for %s', (key) => parse({ ...base, [key]: nested() }));

  it.each(Object.keys(trainingConfigSchema.shape))('for trainingConfig.%s', (key) => {
    const others = Object.fromEntries(
      Object.entries(companions.trainingConfig).filter(([name]) => name !== key),
    );
    parse({ ...base, trainingConfig: { [key]: nested() } });
    parse({ ...base, trainingConfig: { ...others, [key]: nested() } });
  });

  it.each(Object.keys(adaptiveLossConfigSchema.shape))('for adaptiveLossConfig.%s', (key) => {
    parse({ ...base, adaptiveLossConfig: { ...companions.adaptiveLossConfig, [key]: nested() } });
  });

  it.each(['ideas', 'mixing', 'unknown'])('for datasetsConfig.%s', (key) => {
    parse({ ...base, datasetsConfig: { [key]: nested() } });
    parse({ ...base, datasetsConfig: { ideas: ['a.jsonl'], [key]: [{ name: 'x', train: nested() }] } });
  });

  it.each(['r', 'targetModules', 'rankPattern', 'peftType'])('for peftConfig.%s', (key) => {
    parse({ ...base, peftConfig: { [key]: nested() } });
  });
});
