import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../cli/run-command.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { hubTest } from './hub-test.js';

const test = hubTest();
const readme = `---
dataset_info:
  splits:
    - name: train
      num_bytes: 800000
      num_examples: 2000
    - name: validation
      num_bytes: 40000
      num_examples: 100
---
# rows
`;
const rows = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `${JSON.stringify({ prompt: `ask ${i}`, response: 'so it is' })}\n`,
  ).join('');

async function estimate(env: NodeJS.ProcessEnv = {}) {
  const file = join(test.folder, 'config.json');
  const config = {
    ...{ model_name: seedDir, output_dir: join(test.folder, 'out'), datasets_config: { ideas: ['me/rows'] } },
    training_config: { batch_size: 10, gradient_accumulation_steps: 1, num_epochs: 1, eval_strategy: 'no' },
  };
  await writeFile(file, JSON.stringify(config));
  const { status, stdout, stderr } = await runCommand(
    'src/cli/main.ts',
    ['estimate', seedDir, file, '--json'],
    {
      ...{ HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf') },
      ...env,
    },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as { steps: number; assumptions: string[]; time: { seconds: number } };
}

describe('estimate with a dataset that is on the Hub alone', { timeout: 120_000 }, () => {
  it('takes it for as large as its README.md says, and fetches no file of it', async () => {
    const files = { 'README.md': readme, 'train.jsonl': rows(30), 'validation.jsonl': rows(5) };
    test.hub.store.put(test.hub.store.create('dataset', 'me/rows'), files);
    const { steps, assumptions, time } = await estimate();
    expect(steps).toBe(200);
    expect(assumptions).toEqual([
      expect.stringMatching(/^me\/rows .*README\.md.* 2,000 rows of 100 tokens/) as string,
    ]);
    expect(time.seconds).toBeGreaterThan(0);
    expect(test.hub.requests.filter(({ url }) => /resolve\/.*\.jsonl/.test(url))).toEqual([]);
  });

  it('takes it for as large as its files are, where nothing is said', async () => {
    // 100,000 bytes are 100 rows of 1,000, of which one in twenty is held out.
    test.hub.store.put(test.hub.store.create('dataset', 'me/rows'), { 'train.jsonl': ' '.repeat(100_000) });
    const { steps, assumptions } = await estimate();
    expect([steps, assumptions[0]]).toEqual([10, expect.stringContaining('the size of its files') as string]);
  });

  it('says that nothing is known without network', async () => {
    const { assumptions } = await estimate({ HF_HUB_OFFLINE: '1' });
    expect(assumptions[0]).toContain('nothing is known of it');
  });
});
