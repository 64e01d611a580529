import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { hasCompiler, stubDriver } from '../engine/device/stub-library.js';
import { tempDir } from '../helpers/temp-dir.js';
import { runCommand } from './run-command.js';

const token = 'hf_secretsecretsecretsecret1';
const garbage = join(tempDir(), 'adaptive_trainer.node');
writeFileSync(garbage, 'no library');

let hub: Server;
let endpoint: string;
beforeAll(async () => {
  hub = createServer(({ url, headers }, response) => {
    const isRefused = url!.startsWith('/api/whoami') && headers.authorization !== `Bearer ${token}`;
    response.writeHead(isRefused ? 401 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(url!.startsWith('/api/whoami') ? { name: 'me' } : []));
  });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
});
afterAll(() => hub.close());

async function doctor(env: NodeJS.ProcessEnv = {}) {
  const settings = { HF_ENDPOINT: endpoint, HF_TOKEN_PATH: join(tempDir(), 'none'), ...env };
  const { status, stdout, stderr } = await runCommand('src/cli/main.ts', ['doctor', '--json'], settings);
  const { ok, sections } = JSON.parse(stdout) as { ok: boolean; sections: { findings: Finding[] }[] };
  const findings = sections.flatMap((section) => section.findings);
  const named = (name: string) => findings.find((one) => one.name === name)!;
  return { status, ok, findings, named, all: stdout + stderr };
}

describe('adaptive-trainer doctor', () => {
  it('finds nothing broken where nothing is, and tells no secret', async () => {
    const { status, ok, findings, named, all } = await doctor({
      ...{ HF_TOKEN: token, WANDB_API_KEY: 'wandb-key-of-mine', HTTPS_PROXY: 'http://me:word@proxy:3128' },
    });
    expect(findings.filter(({ state }) => state === 'problem')).toEqual([]);
    expect([status, ok]).toEqual([0, true]);
    expect(named('training step').found).toMatch(/^runs; loss \d/);
    expect(named('token of the Hub').found).toBe('set, not shown; of me');
    expect(named('proxies').found).toBe('HTTPS_PROXY=http://[redacted]@proxy:3128');
    expect(named('Weights & Biases').found).toContain('set, not shown');
    for (const secret of [token, 'wandb-key-of-mine', 'word@']) expect(all).not.toContain(secret);
  });

  it.each([
    ['a LIBTORCH that is none', { LIBTORCH: tempDir() }, 'libtorch and addon', /^LIBTORCH_/, /setup|unset/],
    [
      'an addon that is none',
      { ADAPTIVE_TRAINER_ADDON: garbage },
      'training step',
      /^ADDON_UNLOADABLE/,
      /npm/,
    ],
    [
      'an addon that is not there',
      { ADAPTIVE_TRAINER_ADDON: '/none' },
      'libtorch and addon',
      /^ADDON_NOT_BUILT/,
      /./,
    ],
    [
      'a cache that cannot be written',
      { ADAPTIVE_TRAINER_CACHE: join(garbage, 'cache') },
      'cache of adaptive-trainer',
      /cannot be written/,
      /ADAPTIVE_TRAINER_CACHE/,
    ],
    ['no network', { HF_ENDPOINT: 'http://127.0.0.1:9' }, 'Hub', /cannot be reached/, /HF_HUB_OFFLINE=1/],
    ['a token that is refused', { HF_TOKEN: `${token}x` }, 'token of the Hub', /refused/, /settings\/tokens/],
  ])('%s is a problem with a mend: status 1', async (_what, env, name, found, mend) => {
    const { status, named } = await doctor(env);
    expect(status).toBe(1);
    expect(named(name)).toMatchObject({ state: 'problem' });
    expect(named(name).found).toMatch(found);
    expect(named(name).mend).toMatch(mend);
  });

  it.runIf(hasCompiler)('tells driver, device, libtorch and plugin of a GPU in a line each', async () => {
    const folder = tempDir();
    stubDriver(folder, { version: 12040, devices: [['Tesla V100', 7, 0]] });
    const { status, named } = await doctor({
      LD_LIBRARY_PATH: folder,
      ADAPTIVE_TRAINER_CUDA_PLUGIN: '/none.so',
    });
    expect(status).toBe(0);
    expect(named('GPU driver')).toMatchObject({
      state: 'warning',
      found: expect.stringContaining('CUDA 12.4'),
    });
    expect(named('GPU driver').mend).toContain('580.65 or later');
    expect(named('cuda:0')).toMatchObject({
      state: 'warning',
      found: 'Tesla V100 has compute capability 7.0',
    });
    expect(named('cuda:0').mend).toContain('8.0 or later');
    expect(named('CUDA plugin')).toMatchObject({ state: 'warning' });
    expect(named('CUDA plugin').mend).toContain('correct ADAPTIVE_TRAINER_CUDA_PLUGIN');
    // Without a plugin nothing is joined.
    expect(named('NCCL')).toBeUndefined();
  });

  it.runIf(hasCompiler)(
    'says of a machine without a GPU what is missing, and that is no warning',
    async () => {
      const folder = tempDir();
      stubDriver(folder, { start: 100 });
      const { named } = await doctor({ LD_LIBRARY_PATH: folder });
      expect(named('GPU driver')).toMatchObject({ state: 'info' });
      expect(named('GPU driver').found).toContain('no device');
    },
  );
});
