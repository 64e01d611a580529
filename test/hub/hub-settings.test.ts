import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hubSettings } from '../../src/common/hub-settings.js';
import { isHubName } from '../../src/common/is-hub-name.js';
import { hubTest } from './hub-test.js';

const test = hubTest();

describe('hubSettings', () => {
  it('has the defaults of huggingface_hub', () => {
    expect(hubSettings({ HOME: '/home/ann' })).toMatchObject({
      endpoint: 'https://huggingface.co',
      token: undefined,
      offline: false,
      cacheDir: join('/home/ann', '.cache/huggingface/hub'),
    });
  });

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['XDG_CACHE_HOME', { XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    ['HF_HOME', { XDG_CACHE_HOME: '/x', HF_HOME: '/h' }, '/h/hub'],
    ['HF_HOME with ~', { HF_HOME: '~/hf' }, '/home/ann/hf/hub'],
    ['HF_HOME with a variable', { HF_HOME: '$BIG/${USER}', BIG: '/big', USER: 'ann' }, '/big/ann/hub'],
    ['HUGGINGFACE_HUB_CACHE', { HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
    ['HF_HUB_CACHE', { HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
  ])('%s', (_name, env, cacheDir) => {
    expect(hubSettings({ HOME: '/home/ann', ...env }).cacheDir).toBe(cacheDir);
  });

  it('takes the token from the environment, else from the file of the login', async () => {
    const file = join(test.folder, 'token');
    await writeFile(file, 'hf_fromFile\n');
    const env = { HF_HOME: test.folder };
    expect(hubSettings(env).token).toBe('hf_fromFile');
    expect(hubSettings({ ...env, HF_TOKEN: ' hf_own \n' }).token).toBe('hf_own');
    expect(hubSettings({ ...env, HUGGING_FACE_HUB_TOKEN: 'hf_old' }).token).toBe('hf_old');
    expect(hubSettings({ ...env, HF_TOKEN_PATH: join(test.folder, 'none') }).token).toBeUndefined();
    await mkdir(join(test.folder, 'home/.cache/huggingface'), { recursive: true });
    await writeFile(join(test.folder, 'home/.cache/huggingface/token'), 'hf_home');
    expect(hubSettings({ HOME: join(test.folder, 'home') }).token).toBe('hf_home');
  });

  it.each(['1', 'ON', 'yes', 'true'])('HF_HUB_OFFLINE=%s is offline', (value) => {
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(true);
    expect(hubSettings({ TRANSFORMERS_OFFLINE: value }).offline).toBe(true);
  });
  it.each(['0', '', 'no'])('HF_HUB_OFFLINE=%j is not', (value) => {
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(false);
  });

  it('takes HF_ENDPOINT without its last slash, and HF_HUB_DOWNLOAD_TIMEOUT in seconds', () => {
    const env = { HF_ENDPOINT: 'http://mirror/', HF_HUB_DOWNLOAD_TIMEOUT: '7' };
    expect(hubSettings(env)).toMatchObject({ endpoint: 'http://mirror', timeoutMs: 7000 });
  });

  it('reads the environment anew at each call', () => {
    const before = process.env['HF_HUB_OFFLINE'];
    process.env['HF_HUB_OFFLINE'] = '1';
    expect(hubSettings().offline).toBe(true);
    process.env['HF_HUB_OFFLINE'] = '0';
    expect(hubSettings().offline).toBe(false);
    if (before === undefined) delete process.env['HF_HUB_OFFLINE'];
    else process.env['HF_HUB_OFFLINE'] = before;
  });
});

describe('isHubName', () => {
  it.each(['gpt2', 'meta-llama/Llama-3.2-1B', 'a/b_c.d'])('%s', (name) => expect(isHubName(name)).toBe(true));
  it.each([
    '',
    '/',
    'a/b/c',
    '../b',
    './b',
    'a/..',
    'a//b',
    'a/b.git',
    'a/b--c',
    'a b/c',
    '/a/b',
    'a/-b',
    'a/b-',
  ])('not %j', (name) => expect(isHubName(name)).toBe(false));
});
