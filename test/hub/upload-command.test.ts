import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../cli/run-command.js';
import { hubTest, token } from './hub-test.js';

const test = hubTest();
const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runCommand('src/cli/main.ts', ['upload', ...args], {
    HF_ENDPOINT: test.hub.endpoint,
    HF_HOME: join(test.folder, 'hf'),
    HF_TOKEN: token,
    ...env,
  });

async function modelFolder(): Promise<string> {
  const folder = join(test.folder, 'model');
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), '{}');
  await writeFile(join(folder, 'model.safetensors'), 'weights');
  return folder;
}

describe('adaptive-trainer upload', () => {
  it('uploads a folder and prints the page: status 0', async () => {
    const { status, stdout, stderr } = await run([
      await modelFolder(),
      'me/tiny',
      '--private',
      '-m',
      'words',
    ]);
    expect(stdout).toBe(`${test.hub.endpoint}/me/tiny\n`);
    expect(stderr).toContain('Uploading model.safetensors to me/tiny');
    expect(stderr + stdout).not.toContain(token);
    expect(status).toBe(0);
    const repo = test.hub.store.find('model', 'me/tiny')!;
    expect([repo.private, repo.commits.get(repo.branches.get('main')!)!.title]).toEqual([true, 'words']);
  });

  it('takes the token of the login', async () => {
    await mkdir(join(test.folder, 'hf'));
    await writeFile(join(test.folder, 'hf', 'token'), token);
    expect((await run([await modelFolder(), 'me/tiny'], { HF_TOKEN: '' })).status).toBe(0);
  });

  it('says what is wrong: status 1, and never the token', async () => {
    const folder = await modelFolder();
    const none = await run([folder, 'me/tiny'], { HF_TOKEN: '' });
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('HF_TOKEN') as string]);
    const wrong = 'hf_wrongWrongWrongWrongWrongWrong1';
    const refused = await run([folder, 'me/tiny'], { HF_TOKEN: wrong, DEBUG: 'adaptive-trainer' });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('Invalid credentials');
    expect(refused.stderr).not.toContain(wrong);
  });

  it.each([[[]], [['folder']], [['folder', 'me/tiny', 'more']], [['folder', 'me/tiny', '--privat']]])(
    '%j is a wrong command line: status 2',
    async (args) => {
      const { status, stderr } = await run(args);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining('Usage: adaptive-trainer upload') as string,
      ]);
    },
  );

  it('--help', async () => {
    const { status, stdout } = await run(['--help']);
    expect([status, stdout]).toEqual([
      0,
      expect.stringContaining('Usage: adaptive-trainer upload') as string,
    ]);
  });
});
