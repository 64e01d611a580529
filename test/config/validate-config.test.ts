import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigFault } from '../../src/config/config-fault.js';
import { validateConfig } from '../../src/config/validate-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

const startedIn = process.cwd();
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'validate-config-'));
  process.chdir(cwd);
  await mkdir(path.join(cwd, 'model'));
  await mkdir(path.join(cwd, 'half'));
  for (const name of ['config.json', 'tokenizer.json', 'model-00001-of-00002.safetensors']) {
    await writeFile(path.join(cwd, 'model', name), '');
  }
  await writeFile(path.join(cwd, 'half', 'config.json'), '');
  await writeFile(path.join(cwd, 'rows.jsonl'), '{}\n');
});
afterAll(async () => {
  process.chdir(startedIn);
  await rm(cwd, { recursive: true });
});

const good = { modelName: 'model', outputDir: 'out/deep', datasetsConfig: { ideas: ['rows.jsonl:|:3'] } };
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

  it('notes what it takes for a model on the Hub, and settings without effect', async () => {
    const { notes } = await validate({ modelName: 'org/model-1B', datasetsKwargs: { 'row.jsonl': {} } });
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/^modelName: .*"org\/model-1B" is taken for a name on the Hub/);
    expect(notes[1]).toMatch(/"row\.jsonl".*Did you mean "rows\.jsonl"/);
  });

  it('notes what it takes for a dataset on the Hub', async () => {
    const { notes } = await validate({ datasetsConfig: { misc: ['user/rows:|:9'] } });
    expect(notes).toEqual([
      expect.stringMatching(/^datasetsConfig\.misc\[0\]: .*"user\/rows" is taken for a name on the Hub/),
    ]);
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

  it('finds wrong values before it looks at paths', async () => {
    const faults = await faultsOf({ modelName: './none', trainingConfig: { batchSize: 0 } });
    expect(faults.map(({ path: at }) => at)).toEqual(['trainingConfig.batchSize']);
  });
});
