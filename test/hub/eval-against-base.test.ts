import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { EvalReport } from '../../src/events/eval-report.js';
import { runCommand } from '../cli/run-command.js';
import { sums, sumsModel } from '../inspect/sums-run.js';
import { hubTest } from './hub-test.js';

const test = hubTest();
const filesOf = (dir: string) =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))]));

it('the base of an adapter is the one of the revision that it names', { timeout: 120_000 }, async () => {
  const base = test.hub.store.create('model', 'me/base');
  test.hub.store.put(base, filesOf(sumsModel(test.folder, 1)));
  const revision = base.branches.get('main')!;
  test.hub.store.put(base, filesOf(sumsModel(test.folder, 2)));
  expect(base.branches.get('main')).not.toBe(revision);

  // An adapter that was just made changes nothing.
  const model = await CausalLM.fromPretrained(sumsModel(test.folder, 1));
  await model.addAdapter({ targetModules: 'all-linear' });
  const adapter = join(test.folder, 'adapter');
  await model.savePretrained(adapter);
  model.dispose();
  const stated = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')) as object;
  const named = { ...stated, base_model_name_or_path: 'me/base', revision };
  writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify(named));

  const data = join(test.folder, 'rows.jsonl');
  writeFileSync(
    data,
    sums(0, 40)
      .map((row) => JSON.stringify(row))
      .join('\n'),
  );
  const config = join(test.folder, 'config.json');
  const settings = {
    model_name: 'me/base',
    output_dir: join(test.folder, 'out'),
    datasets_config: { ideas: [data] },
  };
  writeFileSync(config, JSON.stringify({ ...settings, training_config: { precision: 'fp32' } }));
  const args = ['eval', adapter, config, '--against', 'base', '--json'];
  const { status, stdout, stderr } = await runCommand('src/cli/main.ts', args, {
    ...{ HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf') },
  });
  expect([status, stderr]).toEqual([0, '']);
  const { against } = JSON.parse(stdout) as EvalReport;
  expect(against!.model).toBe('me/base');
  for (const { before, after } of against!.comparison.groups) expect(after.nll).toBe(before.nll);
});
