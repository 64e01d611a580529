import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { uploadModel } from '../../src/hub/models/upload-model.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { checkModelFiles } from '../../src/model/check-model-files.js';
import { locateModel } from '../../src/model/files/located-model.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { hubTest, token } from './hub-test.js';

const test = hubTest();
const adapter = 'test/fixtures/extra/lora/llama';

function publish(name: string, dir: string, more: Record<string, string | Buffer> = {}): void {
  const files = readdirSync(dir).map((file) => [file, readFileSync(join(dir, file))] as const);
  test.hub.store.put(test.hub.store.create('model', name), { ...Object.fromEntries(files), ...more });
}

describe('an adapter on the Hub', () => {
  it('is opened by its name, with the base and the tokenizer that it names', async () => {
    publish('me/base', 'test/fixtures/models/llama', {
      'tokenizer.json': readFileSync('examples/seed-lm/tokenizer.json'),
      'tokenizer_config.json': readFileSync('examples/seed-lm/tokenizer_config.json'),
    });
    const config = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')) as object;
    const named = JSON.stringify({ ...config, base_model_name_or_path: 'me/base' });
    publish('me/adapter', adapter, { 'adapter_config.json': named });
    const hub = test.settings();
    const model = await CausalLM.fromPretrained('me/adapter', { hub });
    const local = await CausalLM.fromPretrained(adapter);
    expect((await model.logits([[1, 2, 3]])).data).toEqual((await local.logits([[1, 2, 3]])).data);
    const tokenizer = await Tokenizer.fromPretrained('me/adapter', { hub });
    expect(tokenizer.encode('a').length).toBeGreaterThan(0);

    const saved = join(test.folder, 'saved');
    await model.savePretrained(saved);
    const written = JSON.parse(readFileSync(join(saved, 'adapter_config.json'), 'utf8')) as object;
    expect(written).toMatchObject({ base_model_name_or_path: 'me/base' });
    model.dispose();
    local.dispose();
  });

  it('is checked with its base, and of neither more than the headers is read', async () => {
    publish('me/base', 'test/fixtures/models/llama');
    const stated = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')) as object;
    const put = (base: string) =>
      publish('me/adapter', adapter, {
        'adapter_config.json': JSON.stringify({ ...stated, base_model_name_or_path: base }),
      });
    const check = async (options: object = {}) => {
      const settings = test.settings(options);
      return checkModelFiles(await locateModel('me/adapter', { settings }), { settings });
    };
    put('me/base');
    expect((await check()).decoder.names).toBe('llama');
    const ranges = test.hub.requests.filter(({ host }) => host === 'storage').map((one) => one.headers.range);
    expect(ranges).toEqual([expect.stringMatching(/^bytes=0-\d+$/)]);
    // The answer of a server that knows no ranges is not read to its end.
    const noRange: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers);
      headers.delete('range');
      return fetch(input, { ...init, headers });
    };
    expect((await check({ fetch: noRange })).decoder.names).toBe('llama');
    put('me/gone');
    await expect(check()).rejects.toMatchObject({
      code: 'HUB_FAILED',
      message: expect.stringMatching(/me\/gone/),
    });
    put('me/adapter');
    await expect(check()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/a model without an adapter/),
    });
  });

  it('is uploaded', async () => {
    const folder = join(test.folder, 'final_model');
    mkdirSync(folder);
    for (const name of ['adapter_config.json', 'adapter_model.safetensors'])
      cpSync(join(adapter, name), join(folder, name));
    writeFileSync(join(folder, 'README.md'), '# an adapter\n');
    await uploadModel({ folder, repo: 'me/adapter', settings: test.settings({ token }) });
    const repo = test.hub.store.find('model', 'me/adapter')!;
    const { files } = repo.commits.get(repo.branches.get('main')!)!;
    expect([...files.keys()].sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
  });
});
