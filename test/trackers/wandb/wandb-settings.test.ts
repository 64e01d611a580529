import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { wandbSettings, type WandbRequest } from '../../../src/trackers/wandb/wandb-settings.js';
import { errorOf } from '../../helpers/error-of.js';
import { tempDir } from '../../helpers/temp-dir.js';

const request: WandbRequest = {
  use: 'auto',
  project: 'default',
  isProjectGiven: false,
  entity: null,
  name: 'run',
  outputDir: 'out',
};
const nowhere = join(tempDir(), 'no-netrc');
const settings = (extra: Partial<WandbRequest>, env: NodeJS.ProcessEnv = {}) =>
  wandbSettings({ ...request, ...extra }, { NETRC: nowhere, ...env });
const key = { WANDB_API_KEY: 'k'.repeat(40) };

describe('where a run is reported', () => {
  it.each([
    ['auto', {}, 'disabled'],
    ['auto', key, 'online'],
    [true, {}, 'offline'],
    [true, key, 'online'],
    [false, key, 'disabled'],
    ['auto', { WANDB_MODE: 'offline' }, 'offline'],
    ['auto', { ...key, WANDB_MODE: 'offline' }, 'offline'],
    ['auto', { ...key, WANDB_MODE: 'dryrun' }, 'offline'],
    [true, { ...key, WANDB_MODE: 'disabled' }, 'disabled'],
    [false, { WANDB_MODE: 'offline' }, 'disabled'],
  ] as const)('use_wandb %s with %o: %s', (use, env, mode) => {
    const found = settings({ use }, env);
    expect(found.mode).toBe(mode);
    expect(found.apiKey !== undefined).toBe(mode === 'online');
  });

  it('takes the key of the server from .netrc', () => {
    const netrc = join(tempDir(), 'netrc');
    writeFileSync(
      netrc,
      '# machine api.wandb.ai password commented\nmachine other login a password wrong\n' +
        'machine api.wandb.ai\n  login user\n  password right\ndefault password no\n',
    );
    expect(settings({}, { NETRC: netrc })).toMatchObject({ mode: 'online', apiKey: 'right' });
    expect(settings({}, { NETRC: netrc, WANDB_BASE_URL: 'http://other:8080/' })).toMatchObject({
      baseUrl: 'http://other:8080',
      apiKey: 'wrong',
    });
    expect(settings({}, { NETRC: netrc, WANDB_BASE_URL: 'http://third' }).mode).toBe('disabled');
  });

  it('takes the variables of the official client, and what the configuration gives before them', () => {
    const env = {
      WANDB_PROJECT: 'from-env',
      WANDB_ENTITY: 'team',
      WANDB_NAME: 'named',
      WANDB_RUN_ID: 'id-1',
      WANDB_RESUME: 'must',
      WANDB_RUN_GROUP: 'g',
      WANDB_TAGS: 'a, b,,',
      WANDB_NOTES: 'n',
      WANDB_DIR: 'there',
    };
    expect(settings({}, env)).toMatchObject({
      project: 'from-env',
      entity: 'team',
      name: 'named',
      runId: 'id-1',
      resume: 'must',
      group: 'g',
      tags: ['a', 'b'],
      notes: 'n',
      dir: 'there',
    });
    expect(settings({ project: 'given', isProjectGiven: true, entity: 'mine' }, env)).toMatchObject({
      project: 'given',
      entity: 'mine',
    });
  });

  it.each([
    ['WANDB_MODE', 'sometimes'],
    ['WANDB_RESUME', 'perhaps'],
    ['WANDB_BASE_URL', 'not an address'],
    ['WANDB_BASE_URL', 'ftp://host'],
    ['WANDB_RUN_ID', '../up'],
    ['WANDB_RUN_ID', '..'],
  ])('%s=%s is an error that names it', async (name, value) => {
    const error = await errorOf(() => settings({}, { [name]: value }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error.message).toContain(`in the variable ${name}, found ${JSON.stringify(value)}`);
  });
});
