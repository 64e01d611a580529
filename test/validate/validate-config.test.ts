import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigFault } from '../../src/common/config-fault.js';
import { validateConfig } from '../../src/validate/validate-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

import { seedDir } from '../tokenizer/open-tokenizer.js';

const startedIn = process.cwd();
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'validate-config-'));
  process.chdir(cwd);
  await mkdir(path.join(cwd, 'model'));
  await mkdir(path.join(cwd, 'half'));
  for (const name of [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
    'model.safetensors',
  ]) {
    await copyFile(path.join(seedDir, name), path.join(cwd, 'model', name));
  }
  await writeFile(path.join(cwd, 'half', 'config.json'), '');
  await writeFile(path.join(cwd, 'rows.jsonl'), '{"question":"q","answer":"a"}\n');
});
afterAll(async () => {
  process.chdir(startedIn);
  await rm(cwd, { recursive: true });
});

const good = { modelName: 'model', outputDir: 'out/deep', datasetsConfig: { ideas: ['rows.jsonl:|:1'] } };
const validate = (change: object) => validateConfig({ ...good, ...change }, {});

async function faultsOf(change: object): Promise<ConfigFault[]> {
  try {
    await validate(change);
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID'))
      return error.details['faults'] as ConfigFault[];
    throw error;
  }
  return [];
}

describe('validateConfig', () => {
  it('passes what is there, relative to the current directory', async () => {
    const { config, notes } = await validate({});
    expect(notes).toEqual([]);
    expect(config.modelName).toBe('model');
  });

  it('finds patterns of names that fit no weight, all at once', async () => {
    const trainingConfig = {
      ...{ freeze: ['model.embed_tokenz', 'model.norm'], learningRateMultipliers: { 'model.nrm': 2 } },
    };
    expect(await faultsOf({ trainingConfig })).toMatchObject([
      { path: 'trainingConfig.freeze', suggestion: 'model.embed_tokens' },
      { path: 'trainingConfig.learningRateMultipliers', suggestion: 'model.norm' },
    ]);
    expect(await faultsOf({ trainingConfig: { freeze: ['model.layers.{0..1}', 'lm_head'] } })).toEqual([]);
  });

  it('finds modules of an adapter that the model does not have', async () => {
    const faults = await faultsOf({ peftConfig: { targetModules: ['q_projj', 'v_proj'] } });
    expect(faults).toEqual([
      {
        path: 'peftConfig.targetModules',
        code: 'INVALID',
        message: expect.stringMatching(/there is no module "q_projj".*projections are .*q_proj/),
      },
    ]);
    expect(await faultsOf({ peftConfig: { targetModules: ['q_proj', 'v_proj'] } })).toEqual([]);
  });

  it('notes prompts for styles without a dataset, and rows that are asked for and not there', async () => {
    const datasetsConfig = { ideas: ['rows.jsonl:|:3'] };
    expect((await validate({ datasetsConfig, systemPrompts: { attention: 'Be good.' } })).notes).toEqual([
      expect.stringMatching(/^systemPrompts has prompts for attention alone.*listed under ideas.*no effect/),
      expect.stringMatching(/ideas\[0\]: "rows\.jsonl" has 1 of the 3 rows/),
    ]);
    expect((await validate({ systemPrompts: { attention: 'Be good.', ideas: 'Be kind.' } })).notes).toEqual(
      [],
    );
  });

  it('notes settings without effect', async () => {
    const { notes } = await validate({ datasetsKwargs: { 'row.jsonl': {} } });
    expect(notes).toEqual([expect.stringMatching(/"row\.jsonl".*Did you mean "rows\.jsonl"/)]);
  });

  it('says what a used output folder holds, and what will become of it', async () => {
    await mkdir('used/final_model', { recursive: true });
    await writeFile('used/final_model/config.json', '{}');
    await mkdir('used/checkpoint-4');
    await writeFile('used/checkpoint-4/run_state.json', '{}');
    const notesOf = async (trainingConfig: object, outputDir = 'used') =>
      (await validate({ outputDir, trainingConfig })).notes;
    const held = /^outputDir: .*holds checkpoint-4 and final_model/;
    const refused = await notesOf({});
    expect(refused).toEqual([expect.stringMatching(held)]);
    expect(refused[0]).toMatch(
      /will be refused.*resumeFromCheckpoint.*overwriteOutputDir.*another outputDir/,
    );
    expect(await notesOf({ overwriteOutputDir: true })).toEqual([
      expect.stringMatching(/checkpoint-4 deleted, final_model replaced/),
    ]);
    expect(await notesOf({ resumeFromCheckpoint: true })).toEqual([
      expect.stringMatching(/^outputDir: a run goes on from .*used\/checkpoint-4/),
    ]);
    expect(await notesOf({ resumeFromCheckpoint: true }, 'unused')).toEqual([
      expect.stringMatching(/no checkpoint in unused to go on from; a run begins at step 0/),
    ]);
    expect(await notesOf({}, 'unused')).toEqual([]);
  });

  describe('what a run writes', () => {
    const cacheBefore = process.env['ADAPTIVE_TRAINER_CACHE'];
    afterEach(() => void (process.env['ADAPTIVE_TRAINER_CACHE'] = cacheBefore));

    it('is tried, and nothing is left', async () => {
      const before = (await readdir('.', { recursive: true })).sort();
      await validate({
        outputDir: 'new/deep',
        trainingConfig: { reportTo: ['tensorboard', 'wandb'], retention: {}, evalForgetting: true },
      });
      expect((await readdir('.', { recursive: true })).sort()).toEqual(before);
    });

    it.runIf(existsSync('/proc/self')).each(['/proc', '/proc/none', '/proc/none/out'])(
      'cannot be made: %s',
      async (outputDir) => {
        expect(await faultsOf({ outputDir, trainingConfig: { reportTo: 'all' } })).toEqual([
          {
            path: 'outputDir',
            code: 'INVALID',
            message: `expected a folder to write to, or one that can be made, received "${outputDir}", but no folder can be made in /proc`,
          },
        ]);
      },
    );

    it('has something else in its place', async () => {
      await mkdir('taken/report.html', { recursive: true });
      await writeFile('taken/tensorboard', '');
      const { notes } = await validate({ outputDir: 'taken', trainingConfig: { reportTo: 'tensorboard' } });
      expect(notes).toEqual([
        expect.stringMatching(
          /^taken\/tensorboard cannot be written: .* is a file, .* goes on without TensorBoard\.$/,
        ),
        expect.stringMatching(/^taken\/report\.html cannot be written: .* goes on without it\.$/),
      ]);
      await writeFile('taken/final_model', '');
      const [fault] = await faultsOf({ outputDir: 'taken' });
      expect(fault).toMatchObject({
        path: 'outputDir',
        message: expect.stringMatching(/final_model is a file, not a folder$/),
      });
    });

    it('goes into a cache that cannot be written: a fault where a run needs it, else a note', async () => {
      process.env['ADAPTIVE_TRAINER_CACHE'] = path.join(cwd, 'rows.jsonl', 'cache');
      const words = /rows\.jsonl is a file.*Set ADAPTIVE_TRAINER_CACHE/;
      expect(await faultsOf({ trainingConfig: { retention: {} } })).toEqual([
        { path: 'ADAPTIVE_TRAINER_CACHE', code: 'INVALID', message: expect.stringMatching(words) },
      ]);
      expect(await faultsOf({ trainingConfig: { evalForgetting: true } })).toHaveLength(1);
      expect((await validate({})).notes).toEqual([expect.stringMatching(words)]);
    });

    it('goes to W&B by variables that are checked, too', async () => {
      const reporting = (env: NodeJS.ProcessEnv) =>
        validateConfig({ ...good, trainingConfig: { reportTo: 'wandb' } }, env);
      await expect(reporting({ WANDB_MODE: 'onlin' })).rejects.toMatchObject({
        details: { faults: [{ path: 'WANDB_MODE' }] },
      });
      const { notes } = await reporting({ WANDB_MODE: 'offline', WANDB_DIR: path.join(cwd, 'rows.jsonl') });
      expect(notes).toEqual([expect.stringMatching(/rows\.jsonl\/wandb cannot be written.*without W&B/)]);
    });

    it('goes on from a checkpoint that is there', async () => {
      const faults = await faultsOf({ trainingConfig: { resumeFromCheckpoint: 'out/checkpoint-9' } });
      expect(faults).toEqual([
        {
          path: 'trainingConfig.resumeFromCheckpoint',
          code: 'INVALID',
          message: expect.stringContaining(path.join(cwd, 'out/checkpoint-9')),
        },
      ]);
    });
  });

  it('counts rows that are longer than the positions the model was made for', async () => {
    await cp('model', 'short', { recursive: true });
    const stated = JSON.parse(await readFile('model/config.json', 'utf8')) as object;
    await writeFile('short/config.json', JSON.stringify({ ...stated, max_position_embeddings: 8 }));
    const { notes } = await validate({ modelName: 'short' });
    expect(notes).toEqual([
      expect.stringMatching(/^datasetsConfig\.ideas\[0\]: 1 of 1 rows have more tokens than the 8 positions/),
    ]);
  });

  it('tells of rows that are there twice, and of validation rows that are trained on', async () => {
    const line = (n: number) => `${JSON.stringify({ question: `q${n}`, answer: `a${n}` })}\n`;
    await mkdir('twice');
    await writeFile('twice/train.jsonl', [1, 2, 1, 3, 1].map(line).join(''));
    await writeFile('twice/test.jsonl', [3, 4].map(line).join(''));
    const { notes } = await validate({ datasetsConfig: { ideas: ['twice'] } });
    expect(notes).toEqual([
      expect.stringMatching(/^datasetsConfig\.ideas\[0\]: 2 of 5 rows repeat an earlier one/),
      expect.stringMatching(
        /^datasetsConfig\.ideas\[0\]: 1 of 2 validation rows stand among the training rows/,
      ),
    ]);
  });

  it('looks at every row, or at the first ones', async () => {
    const rows = Array.from({ length: 1200 }, (_, index) => ({
      question: `q${index}`,
      answer: index === 1100 ? null : index === 1101 ? 'long '.repeat(5000) : 'a',
      note: 'n',
    }));
    await writeFile('many.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
    const many = { datasetsConfig: { ideas: ['many.jsonl'] } };
    expect(await faultsOf(many)).toEqual([
      {
        path: 'datasetsConfig.ideas[0]',
        code: 'INVALID',
        message: expect.stringMatching(
          /1 of 1,200 cannot: row 1100 \(.*many\.jsonl line 1101\): .*"answer".*onBadRow/,
        ),
      },
    ]);
    const { notes } = await validate({ ...many, datasetsKwargs: { 'many.jsonl': { onBadRow: 'skip' } } });
    expect(notes).toEqual([
      expect.stringMatching(
        /ideas\[0\]: of 1,200 rows .*1 with more than 4,096 tokens, 1 that could not be used/,
      ),
      expect.stringContaining('ignored columns: "note"'),
      expect.stringContaining('few and short answers: 1 different ones in 1,198 rows'),
    ]);
    const input = { ...good, ...many };
    await expect(validateConfig(input, {}, { rows: 1000 })).resolves.toBeDefined();
  });

  it('finds all paths that are wrong, at once', async () => {
    const faults = await faultsOf({
      modelName: './none',
      datasetsConfig: { ideas: ['rows.jsonl', 'gone.jsonl'], both: ['/no/such/folder/at/all'] },
      outputDir: 'rows.jsonl/out',
    });
    expect(faults.map(({ path: at }) => at)).toEqual([
      'modelName',
      'datasetsConfig.ideas[1]',
      'datasetsConfig.both[0]',
      'outputDir',
    ]);
    expect(faults[1]!.message).toContain(path.join(cwd, 'gone.jsonl'));
    expect(faults[3]!.message).toContain('rows.jsonl is a file');
  });

  it.each([
    ['rows.jsonl', 'which is a file'],
    ['half', 'which lacks tokenizer.json, model.safetensors'],
  ])('knows that %s is no model', async (modelName, message) => {
    expect((await faultsOf({ modelName }))[0]!.message).toContain(message);
  });

  it('tells wrong values and wrong paths together', async () => {
    const faults = await faultsOf({
      modelName: './none',
      outputDir: 'rows.jsonl/out',
      trainingConfig: { batchSize: 0 },
      uploadConfig: { isPrivateRepo: 'yes' },
      datasetsConfig: { ideas: ['gone.jsonl'] },
    });
    expect(faults.map(({ path: at }) => at)).toEqual([
      ...['trainingConfig.batchSize', 'uploadConfig.isPrivateRepo'],
      ...['modelName', 'datasetsConfig.ideas[0]', 'outputDir'],
    ]);
    const half = await faultsOf({ modelName: 3, datasetsConfig: { ideas: ['gone.jsonl'] } });
    expect(half.map(({ path: at }) => at)).toEqual(['modelName', 'datasetsConfig.ideas[0]']);
  });

  it('looks at the datasets that have no fault where others have one', async () => {
    const faults = await faultsOf({
      datasetsConfig: { idea: ['rows.jsonl'], ideas: ['gone.jsonl', 'rows.jsonl:|:no'] },
    });
    expect(faults.map(({ path: at }) => at)).toEqual([
      ...['datasetsConfig.idea', 'datasetsConfig.ideas[1]', 'datasetsConfig.ideas[0]'],
    ]);
  });

  it('tells what it noted also where there are faults', async () => {
    const failing = validate({ modelName: './none', datasetsKwargs: { 'row.jsonl': {} } });
    await expect(failing).rejects.toMatchObject({
      details: { notes: [expect.stringMatching(/"row\.jsonl".*Did you mean "rows\.jsonl"/)] },
    });
  });

  it.each([undefined, 3, []])('has one fault to tell of %j', async (input) => {
    await expect(validateConfig(input, {})).rejects.toMatchObject({ details: { faults: [{ path: '' }] } });
  });

  it.each([
    ['a row of no known shape', '{"foo":1}\n', /row 0 \(.*data\.jsonl line 1\).*columns are: foo/],
    ['a file that is no JSON', '{"question":\n', /data\.jsonl, line 1, column 13/],
    ['an empty file', '', /data\.jsonl.*is empty/],
    [
      'a chat that the template refuses',
      '{"messages":[{"role":"tool","content":"x"},{"role":"assistant","content":"y"}]}\n',
      /row 0 .*no tools here/,
    ],
  ])('opens the datasets and finds %s', async (_, content, words) => {
    await cp('model', 'strict', { recursive: true });
    const template =
      "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}{{ m.content }}{% endfor %}";
    await writeFile(path.join('strict', 'chat_template.jinja'), template);
    await mkdir('split', { recursive: true });
    await writeFile(path.join('split', 'train.jsonl'), '{"question":"q","answer":"a"}\n');
    await writeFile(path.join('split', 'test.jsonl'), content);
    await writeFile('data.jsonl', content);
    const faults = await faultsOf({
      modelName: 'strict',
      datasetsConfig: { ideas: ['rows.jsonl', 'data.jsonl'] },
    });
    expect(faults).toEqual([
      { path: 'datasetsConfig.ideas[1]', code: 'INVALID', message: expect.stringMatching(words) },
    ]);
    const inSplit = await faultsOf({ modelName: 'strict', datasetsConfig: { ideas: ['split'] } });
    expect(inSplit.map(({ path: at, message }) => [at, /test\.jsonl/.test(message)])).toEqual([
      ['datasetsConfig.ideas[0]', true],
    ]);
  });

  it('finds a tokenizer that cannot be read, and a chat template that is none', async () => {
    await cp('model', 'odd', { recursive: true });
    await writeFile(path.join('odd', 'tokenizer.json'), '{}');
    expect(await faultsOf({ modelName: 'odd' })).toMatchObject([
      { path: 'modelName', message: expect.stringContaining('tokenizer.json') },
    ]);
    expect(await faultsOf({ trainingConfig: { chatTemplate: 'chatlm' } })).toMatchObject([
      { path: 'trainingConfig.chatTemplate', message: expect.stringContaining('Did you mean "chatml"') },
    ]);
  });

  it('finds probabilities that do not fit the datasets', async () => {
    const faults = await faultsOf({
      trainingConfig: { mixing: 'interleave', mixingProbabilities: { rows: 1 } },
    });
    expect(faults.map(({ path: at }) => at)).toEqual(Array(2).fill('trainingConfig.mixingProbabilities'));
    expect(faults[0]!.message).toContain('"rows"');
  });
});
