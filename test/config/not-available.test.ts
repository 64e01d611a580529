import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/read/parse-config.js';
import { configFaults } from './config-faults.js';

const least = { modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] } };

function expectNotAvailable(input: object, path: string, env: NodeJS.ProcessEnv = {}): void {
  const faults = configFaults({ ...least, ...input }, env);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({ path, code: 'NOT_AVAILABLE' });
  expect(faults[0]!.message).toMatch(/^expected .*, received .*not available yet/);
}

describe('not available yet', () => {
  it.each([
    ['optimizer', 'adamw_anyprecision'],
    ['optimizer', 'schedule_free_adamw'],
    ['optimizer', 'rmsprop_bnb_8bit'],
    ['lrSchedulerType', 'greedy'],
    ['attnImpl', 'flash_attention_2'],
    ['zeroStage', 3],
  ])('trainingConfig.%s = %j', (key, value) => {
    expectNotAvailable({ trainingConfig: { [key]: value } }, `trainingConfig.${key}`);
  });
});

describe('available', () => {
  it.each([
    ['optimizer', ['adamw', 'adamw_torch', 'adamw_torch_fused', 'adamw_8bit', 'paged_adamw_8bit']],
    ['optimizer', ['paged_adamw', 'paged_adamw_32bit', 'adamw_bnb_8bit']],
    [
      'optimizer',
      ['sgd', 'adafactor', 'lion', 'lion_32bit', 'lion_8bit', 'paged_lion_32bit', 'paged_lion_8bit'],
    ],
    [
      'optimizer',
      ['rmsprop', 'adagrad', 'ademamix', 'ademamix_8bit', 'paged_ademamix_32bit', 'paged_ademamix_8bit'],
    ],
    ['lrSchedulerType', ['cosine', 'linear', 'constant', 'constant_with_warmup', 'polynomial', 'wsd']],
    ['lrSchedulerType', ['cosine_with_restarts', 'inverse_sqrt', 'warmup_stable_decay']],
    ['onNonFinite', ['stop', 'skip']],
    ['precision', ['fp32', 'bf16', 'fp16', 'bf16-true']],
    ['attnImpl', [null, 'sdpa', 'eager']],
    ['resumeFromCheckpoint', [null, false, true, 'out/checkpoint-3']],
    ['localRank', [-1, 0]],
    ['ddpTimeout', [600, 1.5]],
    ['zeroStage', [0, 1, 2]],
    ['evalStrategy', ['no', 'steps', 'epoch']],
    ['saveStrategy', ['no', 'steps', 'epoch', 'best']],
    ['useLigerKernel', [true, false]],
    ['saveTotalLimit', [null, 1]],
    ['device', ['auto', 'cpu', 'cuda', 'cuda:1']],
  ])('trainingConfig.%s: %j', (key, values) => {
    for (const value of values) {
      const { trainingConfig } = parseConfig({ ...least, trainingConfig: { [key]: value } }, {});
      expect(trainingConfig).toHaveProperty(key, value);
    }
  });

  it('localRank of one of several ranks, where the environment says the same', () => {
    const env = { RANK: '3', WORLD_SIZE: '4', LOCAL_RANK: '1', MASTER_ADDR: 'a', MASTER_PORT: '1' };
    const given = (localRank: number) => ({ ...least, trainingConfig: { localRank } });
    expect(parseConfig(given(1), env).trainingConfig.localRank).toBe(1);
    expect(configFaults(given(3), env)).toMatchObject([
      { path: 'trainingConfig.localRank', code: 'CONTRADICTION' },
    ]);
    expect(configFaults(given(1), {})).toMatchObject([{ code: 'CONTRADICTION' }]);
  });

  it('adaptiveLossConfig.loss: adaptive, ce, dft and eaft', () => {
    for (const loss of ['adaptive', 'ce', 'dft', 'eaft']) {
      expect(parseConfig({ ...least, adaptiveLossConfig: { loss } }, {}).adaptiveLossConfig.loss).toBe(loss);
    }
  });
});

describe('warnings', () => {
  const codes = (input: object, env: NodeJS.ProcessEnv) =>
    parseConfig({ ...least, ...input }, env).warnings.map(({ code }) => code);

  it('say that an upload configuration has no effect without a repository', () => {
    expect(codes({ uploadConfig: { isPrivateRepo: true } }, {})).toEqual(['UPLOAD_CONFIG_UNUSED']);
  });

  it('say that nothing is uploaded without HF_TOKEN', () => {
    expect(
      codes({ huggingfaceRepo: 'me/model', uploadConfig: {} }, { HF_TOKEN: '', HF_HOME: '/nowhere' }),
    ).toEqual(['NOTHING_UPLOADED']);
    expect(codes({ huggingfaceRepo: null }, { HF_TOKEN: 'hf_x' })).toEqual([]);
  });

  it('say nothing of an upload that has a token and a name', () => {
    expect(codes({ huggingfaceRepo: 'me/model' }, { HF_TOKEN: 'hf_x' })).toEqual([]);
    expect(codes({ huggingfaceRepo: 'model' }, { HF_TOKEN: 'hf_x' })).toEqual([]);
  });
});

describe('huggingfaceRepo', () => {
  it.each(['a/b/c', '../b', 'a b/c', 'https://huggingface.co/a/b'])(
    '%j names no repository',
    (huggingfaceRepo) => {
      expect(configFaults({ ...least, huggingfaceRepo }, { HF_TOKEN: 'hf_x' })).toEqual([
        {
          path: 'huggingfaceRepo',
          code: 'INVALID',
          message: `expected the name of a repository on the Hub, "owner/name", received the string ${JSON.stringify(huggingfaceRepo)}`,
        },
      ]);
    },
  );
});
